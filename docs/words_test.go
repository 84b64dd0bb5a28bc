package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxWords is how long a paragraph may be; what is longer is a list or a table.
const maxWords = 80

// pages are the texts that people write, by their path from here. docs/reference is generated.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "reference" || strings.HasPrefix(name, ".") && name != ".."):
			return fs.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatalf("reading the pages, %v", err)
	}
	return found
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	marks   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	literal = regexp.MustCompile("`[^`]*`")
	// generated is what test/bench/record.go writes into a page.
	generated = regexp.MustCompile(`(?s)<!-- \w+ -->.*?<!-- end of \w+ -->`)
)

// Every link to a file of this repository leads to one, and every anchor to a heading there.
func TestLinksResolve(t *testing.T) {
	for path, text := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(prose(text), -1) {
			if complaint := broken(path, match[1]); complaint != "" {
				t.Errorf("%s: the link %s: %s", path, match[1], complaint)
			}
		}
	}
}

// broken says what is wrong with a link, "" where nothing is.
func broken(page, target string) string {
	if strings.Contains(target, "://") {
		return ""
	}
	file, anchor, hasAnchor := strings.Cut(target, "#")
	path := page
	if file != "" {
		path = filepath.Join(filepath.Dir(page), file)
	}
	if _, err := os.Stat(path); err != nil {
		return err.Error()
	}
	if !hasAnchor {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(prose(string(text))) {
		if title, heading := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); heading && line[0] == '#' && slug(title) == anchor {
			return ""
		}
	}
	return "there is no such heading in " + path
}

// slug is the anchor of a heading, as Markdown viewers make it.
func slug(title string) string {
	return strings.ReplaceAll(marks.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}

// prose is a page without its blocks of code and without what is generated, whose lines are empty then.
func prose(page string) string {
	return withoutCode(generated.ReplaceAllStringFunc(page, func(table string) string { return strings.Repeat("\n", strings.Count(table, "\n")) }))
}

// withoutCode is a page without its blocks of code, whose lines are empty then.
func withoutCode(page string) string {
	var kept strings.Builder
	code := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code, line = !code, "\n"
		}
		if code {
			line = "\n"
		}
		kept.WriteString(line)
	}
	return kept.String()
}

var listItem = regexp.MustCompile(`^\s*([-*]|\d+\.) `)

// No paragraph is longer than a reader holds in mind.
func TestParagraphsAreShort(t *testing.T) {
	for path, text := range pages(t) {
		for _, paragraph := range pageParagraphs(prose(text)) {
			if n := len(strings.Fields(paragraph)); n > maxWords {
				t.Errorf("%s: a paragraph of %d words, of at most %d: make it a list or a table: %.60s...", path, n, maxWords, paragraph)
			}
		}
	}
}

// pageParagraphs are the paragraphs and the items of lists of a page, without its tables.
func pageParagraphs(page string) []string {
	var found []string
	open := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch text := strings.TrimSpace(line); {
		case text == "", strings.HasPrefix(text, "|"):
			open = false
		case open && !listItem.MatchString(line):
			found[len(found)-1] += " " + text
		default:
			found, open = append(found, text), true
		}
	}
	return found
}

func TestPageParagraphs(t *testing.T) {
	page := "One\ntwo.\n\n- an item\n  goes on\n- another\n\n| a | table |\n\nThree.\n"
	want := "One two.|- an item goes on|- another|Three."
	if got := strings.Join(pageParagraphs(page), "|"); got != want {
		t.Errorf("the paragraphs are %q, want %q", got, want)
	}
}

// The words that the glossary retires are in no page; in code they may be quoted.
func TestRetiredWords(t *testing.T) {
	retired := retiredWords(t)
	for path, text := range pages(t) {
		if filepath.Base(path) == "glossary.md" {
			continue
		}
		number := 0
		for line := range strings.Lines(withoutCode(text)) {
			number++
			complainOf(t, retired, fmt.Sprintf("%s:%d", path, number), line)
		}
	}
}

// forms are those of verbs that do not merely get an s.
var forms = map[string]string{
	"be":   "be|been|being|am|is|are|was|were",
	"get":  "get|gets|got|gotten|getting",
	"give": "give|gives|gave|given|giving",
	"have": "have|has|had|having",
}

// inEveryForm finds a phrase in any form of its words; … stands for up to four words.
func inEveryForm(phrase string) *regexp.Regexp {
	var found []string
	for word := range strings.FieldsSeq(phrase) {
		form, irregular := forms[word]
		switch {
		case word == "…":
			found[len(found)-1] += `(?:\s+[\w'-]+){0,4}?`
			continue
		case !irregular:
			form = regexp.QuoteMeta(word) + "s?"
		}
		found = append(found, "(?:"+form+")")
	}
	return regexp.MustCompile(`(?i)\b` + strings.Join(found, `\s+`) + `\b`)
}

func TestInEveryForm(t *testing.T) {
	for text, phrase := range map[string]string{
		"The worker gives a horse away.":           "give … away",
		"Horses were given away":                   "give … away",
		"it gave the last few horses away at once": "give … away",
		"then rest is granted to":                  "rest be granted",
		"It HAD rest.":                             "have rest",
		"two horses":                               "horse",
	} {
		if !inEveryForm(phrase).MatchString(text) {
			t.Errorf("%q is not seen in %q", phrase, text)
		}
	}
	for text, phrase := range map[string]string{
		"It gives a hint. The horse goes away.": "give … away",
		"gives one two three four five away":    "give … away",
		"seahorse":                              "horse",
		"workers rest; a wish is granted":       "rest be granted",
	} {
		if inEveryForm(phrase).MatchString(text) {
			t.Errorf("%q is seen in %q", phrase, text)
		}
	}
}

// retiredWords has the words of the glossary's last table, with what to say instead.
func retiredWords(t *testing.T) map[*regexp.Regexp]string {
	t.Helper()
	page, err := os.ReadFile("glossary.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| not | but |\n|---|---|\n")
	if !found {
		t.Fatal("glossary.md has no table of retired words any more")
	}
	retired := map[*regexp.Regexp]string{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 4 {
			continue
		}
		for word := range strings.SplitSeq(cells[1], ",") {
			retired[inEveryForm(strings.TrimSpace(word))] = strings.TrimSpace(cells[2])
		}
	}
	return retired
}
