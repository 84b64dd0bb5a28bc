package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// equivalentFile is where a package lists the mutants that change nothing that a test could see, each with the reason:
//
//	history.go History.Prune: `keep`: < becomes <=
//	    if keep < len(stored) {
//	It deletes none of none.
//
// The first two lines are as the tool prints them, without the number of the line; "any change" stands for every mutant of
// a line in a function. An empty line ends an entry.
const equivalentFile = "testdata/mutants.txt"

// key tells mutants apart. Lines move; what they say seldom changes.
type key struct{ place, source string }

// keysOf has the keys of the entries that are about a mutant.
func keysOf(m Mutant) []key {
	place := m.File + " " + m.Func + ": "
	return []key{{place: place + m.Change, source: m.Source}, {place: place + "any change", source: m.Source}}
}

// equivalent is the list of a package, with what has been met of it.
type equivalent map[key]*entry

type entry struct{ met bool }

// has tells whether a mutant is listed.
func (e equivalent) has(m Mutant) bool {
	for _, k := range keysOf(m) {
		if entry, ok := e[k]; ok {
			entry.met = true
			return true
		}
	}
	return false
}

// unmet has the entries that are about no mutant.
func (e equivalent) unmet() []key {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(e)), func(k key) bool { return e[k].met })
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.source, b.source)) })
	return keys
}

func readEquivalent(dir string) (equivalent, error) {
	text, err := os.ReadFile(filepath.Join(dir, equivalentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	listed := equivalent{}
	for words := range strings.SplitSeq(string(text), "\n\n") {
		words = strings.TrimSpace(words)
		if words == "" || strings.HasPrefix(words, "#") {
			continue
		}
		lines := strings.Split(words, "\n")
		if len(lines) < 3 {
			return nil, fmt.Errorf("%s: an entry is the mutant, the line and the reason, but there is only %q", equivalentFile, words)
		}
		listed[key{place: strings.TrimSpace(lines[0]), source: strings.TrimSpace(lines[1])}] = &entry{}
	}
	return listed, nil
}
