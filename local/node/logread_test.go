package node

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log with three runs: the first two have ended.
func threeRuns(t *testing.T) (l *logs, path string) {
	t.Helper()
	l, err := newLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(l.dir, "x.log")
	for i, text := range []string{"a1\n", "b1\nb2\n", "c1\nc2\n\nc4"} {
		if i > 0 {
			l.ended(path)
		}
		l.begins(path)
		appendTo(t, path, text)
	}
	return l, path
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLogsAreReadAsAsked(t *testing.T) {
	l, path := threeRuns(t)
	for query, want := range map[string]string{
		"":                          "c1\nc2\n\nc4",
		"previous=true":             "b1\nb2\n",
		"previous=true&tailLines=1": "b2\n",
		"tailLines=0":               "",
		"tailLines=1":               "c4",
		"tailLines=2":               "\nc4",
		"tailLines=3":               "c2\n\nc4",
		"tailLines=4":               "c1\nc2\n\nc4",
		"tailLines=400":             "c1\nc2\n\nc4",
		"limitBytes=4":              "c1\nc",
		"limitBytes=400":            "c1\nc2\n\nc4",
		"limitBytes=0":              "",
		"tailLines=2&limitBytes=2":  "\nc",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parseLogQuery(values)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := l.read(t.Context(), path, q, &out); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", query, err)
		}
		if out.String() != want {
			t.Errorf("%q: %q, want %q", query, out.String(), want)
		}
	}
}

func TestWhatALogHasNotIsSaid(t *testing.T) {
	for query, want := range map[string]string{
		"timestamps=true":                "no times",
		"sinceSeconds=5":                 "no times",
		"sinceTime=2026-01-01T00:00:00Z": "no times",
		"tailLines=x":                    "tailLines",
		"limitBytes=-1":                  "limitBytes",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseLogQuery(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", query, err, want)
		}
	}
	l, path := newOneRun(t)
	if err := l.read(t.Context(), path, logQuery{previous: true, tail: -1, limit: -1}, io.Discard); !errors.Is(err, errNoPreviousRun) {
		t.Errorf("the log before the first: %v", err)
	}
}

func newOneRun(t *testing.T) (l *logs, path string) {
	t.Helper()
	l, err := newLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(l.dir, "x.log")
	l.begins(path)
	appendTo(t, path, "a\n")
	return l, path
}

// Long lines and many: the search for the last lines goes over the bounds of what is read at once.
func TestTheLastLinesOfALongLog(t *testing.T) {
	l, path := newOneRun(t)
	line := strings.Repeat("x", 20<<10) + "\n"
	appendTo(t, path, strings.Repeat(line, 10))
	for n := range int64(11) {
		var out bytes.Buffer
		if err := l.read(t.Context(), path, logQuery{tail: n, limit: -1}, &out); err != nil {
			t.Fatal(err)
		}
		if want := strings.Repeat(line, int(n)); out.String() != want {
			t.Errorf("the last %d lines: %d bytes, want %d", n, out.Len(), len(want))
		}
	}
}

// A follower gets everything of its run, nothing of the next, and comes to an end.
func TestAFollowedLogEndsWithItsRun(t *testing.T) {
	for name, end := range map[string]func(*logs, string){
		"the container has ended":        func(l *logs, path string) { l.ended(path) },
		"the container is started again": func(l *logs, path string) { l.ended(path); l.begins(path); appendTo(t, path, "of the next run\n") },
	} {
		t.Run(name, func(t *testing.T) {
			l, path := newOneRun(t)
			reader, writer := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- l.read(t.Context(), path, logQuery{follow: true, tail: -1, limit: -1}, writer)
				_ = writer.Close()
			}()
			first := make([]byte, 2)
			if _, err := io.ReadFull(reader, first); err != nil || string(first) != "a\n" {
				t.Fatalf("%q, %v", first, err)
			}
			appendTo(t, path, "b\n")
			end(l, path)
			rest, err := io.ReadAll(reader)
			if err != nil || string(rest) != "b\n" {
				t.Errorf("the rest is %q, %v", rest, err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
