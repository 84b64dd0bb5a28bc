// Package words makes the phrases that events and conditions share: lists of names, numbers with their noun, and texts
// that are no longer than they may be.
//
// It imports the standard library alone. What is said, and when, belongs to those who say it.
package words

import (
	"fmt"
	"strings"
)

// HowMany is a number with its noun, which differs for one and for several.
func HowMany[N int | int32 | int64](n N, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// AndMore lists the first three names, and counts the rest.
func AndMore(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
