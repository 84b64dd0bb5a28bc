package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const password = "s3cret-text"

// holder contains a secret in every way in which a struct can.
type holder struct {
	Open    Secret
	hidden  Secret
	Pointer *Secret
	List    []Secret
	Map     map[string]Secret
	Any     any
}

func TestASecretIsNeverPrinted(t *testing.T) {
	secret := NewSecret(password)
	values := map[string]any{
		"the secret":             secret,
		"a pointer to it":        &secret,
		"a list":                 []Secret{secret},
		"a struct":               holder{Open: secret, hidden: secret, Pointer: &secret, List: []Secret{secret}, Map: map[string]Secret{"k": secret}, Any: secret},
		"settings":               Settings{Host: "h", Password: secret},
		"a pointer to a struct":  &holder{Open: secret, hidden: secret},
		"an error":               fmt.Errorf("logging in with %v, %w", secret, errors.New("no")),
		"a key of a map":         map[*Secret]int{&secret: 1},
		"a struct in a struct":   struct{ Inner holder }{holder{hidden: secret}},
		"a struct without names": struct{ Secret }{secret},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %T %p %e %08b %c %U %20s %-5q %.2s % x %#x %!") {
				check(t, verb, fmt.Sprintf(verb, value))
			}
			check(t, "Sprint", fmt.Sprint(value))
			text, _ := json.Marshal(value) // not each can be encoded
			check(t, "JSON", string(text))
			var log bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
				slog.New(handler).Info("m", "k", value)
			}
			check(t, "slog", log.String())
			check(t, "cmp", cmp.Diff(value, nil))
		})
	}
}

func check(t *testing.T, how, text string) {
	t.Helper()
	if strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
		t.Errorf("%s shows it: %s", how, text)
	}
}

func TestASecretShowsThatItIsOne(t *testing.T) {
	secret := NewSecret(password)
	encoded, err := json.Marshal(map[string]any{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		fmt.Sprintf("%v", secret):                       "***",
		fmt.Sprintf("%x", secret):                       "***",
		fmt.Sprintf("%#v", secret):                      "***",
		fmt.Sprintf("%+v", struct{ Password Secret }{}): "{Password:***}",
		string(encoded):                                 `{"password":"***"}`,
		secret.String():                                 "***",
		secret.LogValue().String():                      "***",
		secret.Reveal():                                 password,
		secret.Mask("AUTH " + password + " is wrong"):   "AUTH *** is wrong",
		NewSecret("").Mask("nothing to hide"):           "nothing to hide",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if !secret.Equal(NewSecret(password)) || secret.Equal(NewSecret("other")) || secret.Equal(Secret{}) || !NewSecret("").Equal(Secret{}) {
		t.Error("equal secrets are those with the same text")
	}
	if secret.Empty() || !NewSecret("").Empty() {
		t.Error("only a secret without text is empty")
	}
	if secret.EndsInNewline() || NewSecret("").EndsInNewline() || NewSecret("\na").EndsInNewline() || !NewSecret("a\n").EndsInNewline() {
		t.Error("a secret ends in a newline where its text does")
	}
}

func TestWordsOfABrokerAreCut(t *testing.T) {
	secret := NewSecret(password)
	cases := map[string]struct{ text, want string }{
		"as they are":                            {"it is late", "it is late"},
		"the first line":                         {"one\ntwo", "one"},
		"the first line with any words":          {"\r\n \x1b \n two \nthree", "two"},
		"nothing that can be shown":              {" \x1b\u202e\r\n\t\n", ""},
		"without what cannot be printed":         {"a\x00\x1b[31m\u202eb\xffc", "a[31mbc"},
		"exactly at the bound":                   {strings.Repeat("é", 300), strings.Repeat("é", 300)},
		"one over it":                            {strings.Repeat("é", 301), strings.Repeat("é", 300) + " ..."},
		"megabytes":                              {strings.Repeat("x", 16<<20), strings.Repeat("x", 300) + " ..."},
		"without a secret that is taken apart":   {"AUTH s3cret\x00-text", "AUTH ***"},
		"without the secret":                     {"AUTH " + password, "AUTH ***"},
		"without a secret that the bound halves": {strings.Repeat("x", 297) + password, strings.Repeat("x", 297) + "***"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Words(c.text, secret); got != c.want {
				t.Errorf("%.400q, want %.400q", got, c.want)
			}
		})
	}
}

// A person who reads an error is never told nothing.
func TestEachErrorHasWords(t *testing.T) {
	for text, want := range map[string]string{
		"it is late":         "it is late",
		"":                   noWords,
		"\r\n":               noWords,
		" \t ":               noWords,
		"\x1b\u202e\n\u2066": noWords,
	} {
		if got := ErrorWords(text, Secret{}); got != want {
			t.Errorf("of %q: %q, want %q", text, got, want)
		}
		if got := Cleaned(errors.New(text)).Error(); got != want {
			t.Errorf("of an error %q: %q, want %q", text, got, want)
		}
		if got, want := Unreachable("at h", errors.New(text), nil, Secret{}).Error(), "at h: "+want; got != want {
			t.Errorf("on the way to a broker, of %q: %q, want %q", text, got, want)
		}
	}
}

// A server may repeat a password as it came, or in quotes. Characters that are cut off or left out hide nothing.
func TestNoWordsRepeatASecret(t *testing.T) {
	for name, c := range map[string]struct{ secret, text, want string }{
		"quotes":                           {`s3cret"text`, `AUTH s3cret"text`, "AUTH ***"},
		"quotes that are escaped":          {`s3cret"text`, `AUTH "s3cret\"text"`, `AUTH "***"`},
		"a tab":                            {"s3cret\ttext", "AUTH s3cret\ttext", "AUTH ***"},
		"a tab that is escaped":            {"s3cret\ttext", `AUTH "s3cret\ttext"`, `AUTH "***"`},
		"a tab that is left out":           {"s3cret\ttext", "AUTH s3crettext", "AUTH ***"},
		"a control character":              {"s3cret\x01text", "AUTH s3cret\x01text", "AUTH ***"},
		"a line end":                       {"s3cret\ntext", "AUTH s3cret\ntext", "AUTH ***"},
		"a no-break space":                 {"s3cret\u00a0text", "AUTH s3cret\u00a0text", "AUTH ***"},
		"nothing that can be printed":      {"\x01\x02", "AUTH \x01\x02", "AUTH ***"},
		"no secret in a text with escapes": {"", "AUTH \t\"x\"", `AUTH "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Words(c.text, NewSecret(c.secret)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The driver has cut a broker's words. What it has missed is cut where its errors come in.
func TestErrorsOfADriverCanBeShown(t *testing.T) {
	missed := &Error{Reason: ReasonWrongType, Message: "a\x1b[31m\u202eb\nc" + strings.Repeat("é", 5000)}
	got := Cleaned(missed)
	if want := "a[31mbc" + strings.Repeat("é", mostOfError-7) + " ..."; got.Error() != want {
		t.Errorf("%q, want %q", got, want)
	}
	if ReasonOf(got) != ReasonWrongType {
		t.Errorf("its reason is %s", ReasonOf(got))
	}
	clean := errors.New("clean")
	if got := Cleaned(clean); !errors.Is(got, clean) || got.Error() != "clean" || Cleaned(nil) != nil {
		t.Errorf("%v, want what is clean as it is", got)
	}
}
