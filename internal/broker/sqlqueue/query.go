package sqlqueue

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// longestQuery is how many bytes a query may have.
const longestQuery = 8 << 10

var (
	begins = regexp.MustCompile(`(?i)^\s*(select|with)\s`)
	// forbidden are marks that one SELECT can do without, and their names. The rules see no strings and no quotes: a scanner
	// of our own would know them otherwise than the server, and what the two see differently is a hole.
	forbidden = []struct{ mark, name string }{
		{";", "semicolon"},
		{"--", "comment"},
		{"/*", "comment"},
		{"\x00", "NUL"},
	}
)

// checkQuery refuses what is not a single SELECT, as far as that is to be seen without knowing the language. The rest is
// the server's: the driver runs the query in a transaction that may not write.
func checkQuery(query string) error {
	if len(query) > longestQuery {
		return fmt.Errorf("query has %d bytes, and may have %d; make it a view", len(query), longestQuery)
	}
	if !begins.MatchString(query) {
		return errors.New("query must be one SELECT: it must begin with SELECT or WITH")
	}
	for _, f := range forbidden {
		if strings.Contains(query, f.mark) {
			return fmt.Errorf("query must be one SELECT: it may have no %s, not even in a string; make it a view where you need that", f.name)
		}
	}
	return nil
}
