package main

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The fixture's survivors are known, and so is what is wrong with its list of equivalent mutants.
func TestScore(t *testing.T) {
	survivors := `
fixture.go:23 shelf.put: without ~s.calls++~
    s.calls++
fixture.go:24 shelf.put: ~len(s.books) >= limit~: >= becomes > (no test reaches it)
    if len(s.books) >= limit || !borrowed && book == "" {
fixture.go:24 shelf.put: ~limit~ is one less
    if len(s.books) >= limit || !borrowed && book == "" {
fixture.go:39 first: ~false~ becomes true (no test reaches it)
    return none, false
`
	doubled := `fixture.go:43 wait: ~time.Minute~ is doubled
    return min(2*time.Duration(tries)*time.Second, time.Minute)
`
	unseen := `fixture.go:49 sum: ~total + of[i]~: + becomes - is listed in testdata/mutants.txt, but a test notices it
fixture.go:64 unseen: returns zero values (no test reaches it)
    return 0, errFull
fixture.go:66 unseen: returns zero values (no test reaches it)
    return a - b, nil
fixture.go:66 unseen: ~a - b~: - becomes + (no test reaches it)
    return a - b, nil
`
	tests := map[string]struct {
		options options
		want    string
	}{
		"short tests": {
			want: survivors + doubled + unseen + `testdata/mutants.txt lists what is not there:
    fixture.go gone: ~a < b~: < becomes <=
    if a < b {
24 of 32 mutants are noticed: 75.0 % (0 by a time-out); 2 more are equivalent; TIME
`,
		},
		"long tests, one file, and a score that is too small": {
			options: options{long: true, files: regexp.MustCompile("^fixture.go$"), least: 90},
			want: survivors + unseen + `25 of 32 mutants are noticed: 78.1 % (0 by a time-out); 2 more are equivalent; TIME
that is less than 90 %
`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := test.options
			o.tests = regexp.MustCompile(".")
			if o.files == nil {
				o.files = o.tests
			}
			var out strings.Builder
			ok, err := score(t.Context(), "testdata/fixture", o, &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				t.Error("the score is good enough")
			}
			got := regexp.MustCompile(`\d+s\n`).ReplaceAllString(out.String(), "TIME\n")
			if want := strings.TrimPrefix(strings.ReplaceAll(test.want, "~", "`"), "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// interruption is a writer that somebody interrupts at the first word.
type interruption struct{ cancel context.CancelFunc }

func (i interruption) Write(words []byte) (int, error) { i.cancel(); return len(words), nil }

// What is interrupted ends, says so, and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	before := func(cancel context.CancelFunc) { cancel() }
	amid := func(context.CancelFunc) {}
	for name, begin := range map[string]func(context.CancelFunc){"before it compiles": before, "while it tries the mutants": amid} {
		t.Run(name, func(t *testing.T) {
			scratch := t.TempDir()
			t.Setenv("TMPDIR", scratch)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			begin(cancel)
			all := regexp.MustCompile(".")
			if _, err := score(ctx, "testdata/fixture", options{files: all, tests: all}, interruption{cancel}); !errors.Is(err, context.Canceled) {
				t.Errorf("score = %v, want that it was interrupted", err)
			}
			left, err := os.ReadDir(scratch)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) > 0 {
				t.Errorf("it leaves %v", left)
			}
		})
	}
}
