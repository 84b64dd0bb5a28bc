package report

// because adds why to a sentence, where that is known.
func because(sentence, why string) string {
	if why == "" {
		return sentence
	}
	return sentence + ": " + why
}
