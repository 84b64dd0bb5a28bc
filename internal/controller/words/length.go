package words

import "strings"

// MaxNote is the length of an event's note, in bytes, that the API server accepts. It drops an event that has a longer one.
const MaxNote = 1024

// Note is a text as an event can have it.
func Note(text string) string { return Shortened(text, MaxNote) }

// Shortened cuts a text off at a length in bytes, and no character in two.
func Shortened(text string, most int) string {
	const dots = "..."
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(dots)], "") + dots
}
