package broker

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// masked is what a Secret shows of itself.
const masked = "***"

// Secret is a password. It prints as *** under every verb, in logs, errors and encodings. What prints a value by
// reflection finds a function in it, and nothing to read.
type Secret struct{ reveal func() string }

// NewSecret is a secret with the text; without text it is none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return text }}
}

// Reveal is the text, for whoever must send it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.reveal == nil }

// EndsInNewline reports whether the text ends in a newline, which few passwords are meant to do.
func (s Secret) EndsInNewline() bool { return strings.HasSuffix(s.Reveal(), "\n") }

// Equal reports whether both have the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// Mask puts *** in the place of the secret, wherever it stands in a text: as it is, or in quotes, where a server has
// escaped characters of it.
func (s Secret) Mask(text string) string {
	if s.Empty() {
		return text
	}
	quoted := strconv.Quote(s.Reveal())
	return strings.NewReplacer(s.Reveal(), masked, quoted[1:len(quoted)-1], masked).Replace(text)
}

// String is ***.
func (Secret) String() string { return masked }

// Format writes *** for every verb of the package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// MarshalText is ***, in JSON, YAML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue is ***, for the package log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }
