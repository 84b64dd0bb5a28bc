package report

import "strings"

// because adds why to a sentence, where that is known.
func because(sentence, why string) string {
	if why == "" {
		return sentence
	}
	return sentence + ": " + why
}

// shortened cuts a text off at a length in bytes, and no character in two.
func shortened(text string, most int) string {
	const dots = "..."
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(dots)], "") + dots
}
