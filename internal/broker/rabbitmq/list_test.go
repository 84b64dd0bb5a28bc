package rabbitmq

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// repeating gives a text over and over.
type repeating struct {
	text string
	at   int
	gave int
}

func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	r.gave += n
	return n, nil
}

func TestLists(t *testing.T) {
	cases := map[string]struct {
		text string
		want []string
		says string
	}{
		"none":                        {`[]`, nil, ""},
		"some":                        {`[{"name":"a","more":[1,{}]},{"name":"b"}]` + "\n", []string{"a", "b"}, ""},
		"one without fields":          {`[[],{"name":"b"}]`, []string{"", "b"}, ""},
		"the longest":                 {`[{"name":"` + strings.Repeat("x", most.element/2) + `"}]`, []string{strings.Repeat("x", most.element/2)}, ""},
		"one that is too long":        {`[{"name":"` + strings.Repeat("x", 3*most.element) + `"}]`, nil, "too much"},
		"one that is nested too deep": {"[" + strings.Repeat(`{"a":`, most.element), nil, "else than JSON"},
		"cut before the first":        {`[`, nil, "EOF"},
		"cut in the middle":           {`[{"name":"a"},{"na`, []string{"a"}, "EOF"},
		"cut between two":             {`[{"name":"a"},`, []string{"a"}, "EOF"},
		"cut before the end":          {`[{"name":"a"}`, []string{"a"}, "EOF"},
		"an object":                   {`{"items":[]}`, nil, "else than JSON"},
		"a page":                      {`<html>`, nil, "else than JSON"},
		"a word in the place of one":  {`["a"]`, nil, "else than JSON"},
		"another end":                 {`[{"name":"a"}}`, []string{"a"}, "else than JSON"},
		"nothing":                     {``, nil, "EOF"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := decodeList(strings.NewReader(c.text), most, func(n named) error { got = append(got, n.Name); return nil })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

// A list without an end is given up, by its bytes or by its elements.
func TestListsWithoutEnd(t *testing.T) {
	l := limits{answer: 1 << 20, element: 64 << 10, elements: 10_000}
	for text, most := range map[string]int{`{"name":"` + strings.Repeat("x", 30<<10) + `"},`: l.answer + 1, `[],`: 4 * l.elements} {
		t.Run(fmt.Sprint(len(text), " bytes each"), func(t *testing.T) {
			in := &repeating{text: text}
			err := decodeList(io.MultiReader(strings.NewReader("["), in), l, func(named) error { return nil })
			if !errors.Is(err, errTooMuch) || in.gave > most {
				t.Errorf("after %d bytes: %v, want %v after %d at most", in.gave, err, errTooMuch, most)
			}
		})
	}
}
