package broker

import (
	"cmp"
	"strings"
	"unicode"
)

// mostWords is how many characters are kept of what a broker says.
const mostWords = 300

// Words are the first 300 printable characters of the first line with any of what a broker says, without the secret: a
// server, or what poses as one, may repeat what it was sent, and its words go to logs, conditions and events. They are ""
// where nothing can be shown.
func Words(text string, secret Secret) string {
	// A secret may have characters that are cut off or left out, and others may hide it: it is masked before that as it
	// is, and after that as it then looks. The last cut comes when nothing is left that it could leave the beginning of.
	shown := NewSecret(printable(secret.Reveal()))
	for line := range strings.SplitSeq(secret.Mask(text), "\n") {
		if line = strings.TrimSpace(shown.Mask(printable(line))); line != "" {
			return cut(line, mostWords)
		}
	}
	return ""
}

// noWords is told of an error in place of words.
const noWords = "it sent an error without words"

// ErrorWords are the Words of an error that a broker sent, and say so where it has none: a person is never told nothing.
func ErrorWords(text string, secret Secret) string { return cmp.Or(Words(text, secret), noWords) }

// cut is the beginning of a text, with so many characters at most.
func cut(text string, most int) string {
	kept := 0
	for i := range text {
		if kept == most {
			return text[:i] + " ..."
		}
		kept++
	}
	return text
}

// mostOfError is how many characters an error may have: a broker's words, and ours around them.
const mostOfError = 2000

// Cleaned is an error of a driver whose text can go to a condition, an event or a log. A driver passes a broker's words
// through Words; this is for what it may have missed.
func Cleaned(err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	text := cut(printable(said), mostOfError)
	if strings.TrimSpace(text) == "" {
		text = noWords
	}
	if text != said {
		return &cleaned{text, err}
	}
	return err
}

type cleaned struct {
	text string
	err  error
}

func (c *cleaned) Error() string { return c.text }
func (c *cleaned) Unwrap() error { return c.err }

// printable is a text without the characters that a terminal would not show, or would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
}
