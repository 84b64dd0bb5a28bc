package words

// TextOf is an error's text, "" where there is none.
func TextOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
