package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// comment is one paragraph of a Go comment, or one item of a list in it. It may also be a text in the code.
type comment struct {
	at   string // a file and a line
	text string
}

// comments are those of all Go files that people write, in all modules. The other result has the texts in their code,
// which are messages mostly.
func comments(t *testing.T) (found, texts []comment) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(name, ".") && name != "..":
			return fs.SkipDir
		case filepath.Ext(name) != ".go":
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || ast.IsGenerated(file) {
			return err
		}
		at := func(n ast.Node) string { return fmt.Sprintf("%s:%d", path, files.Position(n.Pos()).Line) }
		for _, group := range file.Comments {
			for _, text := range paragraphs(group.Text()) {
				found = append(found, comment{at(group), text})
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				texts = append(texts, comment{at(literal), strings.Trim(literal.Value, "`")})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatalf("reading the comments, %v", err)
	}
	return found, texts
}

// paragraphs splits a comment. Indented blocks, which are tables, diagrams or code, are left out, and so are markers for
// generators.
func paragraphs(text string) []string {
	var found []string
	open := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		item := listItem.MatchString(line)
		switch {
		case strings.HasPrefix(line, "+"), line == "", strings.HasPrefix(line, "\t"):
			open = false
		case item || !open:
			found = append(found, line)
			open = true
		default:
			found[len(found)-1] += " " + strings.TrimSpace(line)
		}
	}
	return found
}

func TestParagraphsOfComments(t *testing.T) {
	text := "One\ntwo.\n\n  - an item\n    goes on\n  - another\n\n\ta table\n\n+marker\nThree.\n"
	want := "One two.|  - an item goes on|  - another|Three."
	if got := strings.Join(paragraphs(text), "|"); got != want {
		t.Errorf("the paragraphs are %q, want %q", got, want)
	}
}

// No paragraph of a comment is longer than a reader holds in mind.
func TestCommentsAreShort(t *testing.T) {
	found, _ := comments(t)
	for _, c := range found {
		if n := len(strings.Fields(c.text)); n > maxWords {
			t.Errorf("%s: the comment has a paragraph of %d words, of at most %d: %.60s...", c.at, n, maxWords, c.text)
		}
	}
}

// The words that the glossary retires are in no comment and no message either.
func TestRetiredWordsInCode(t *testing.T) {
	retired := retiredWords(t)
	found, texts := comments(t)
	for _, c := range append(found, texts...) {
		complainOf(t, retired, c.at, c.text)
	}
}

// What is generated from comments may come from elsewhere too: from Kubernetes' types, and from the generators.
func TestRetiredWordsInGenerated(t *testing.T) {
	retired := retiredWords(t)
	for _, pattern := range []string{"reference/*.md", "../config/crd/bases/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("there is no %s (%v)", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			complainOf(t, retired, path, strings.Join(strings.Fields(string(text)), " "))
		}
	}
}

// complainOf fails the test for each retired word in a text.
func complainOf(t *testing.T, retired map[*regexp.Regexp]string, where, text string) {
	t.Helper()
	text = literal.ReplaceAllString(text, "")
	for word, instead := range retired {
		if word.MatchString(text) {
			t.Errorf("%s says %q; the glossary says: %s", where, word.FindString(text), instead)
		}
	}
}
