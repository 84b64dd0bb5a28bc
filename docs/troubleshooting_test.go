// Package docs has the documentation. Its tests keep it from falling behind the code.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every reason that a condition can have is in a table of troubleshooting.md, and every reason there is one that the code
// has. A table of reasons stands under the name of its condition.
func TestReasonsAreThoseOfTheCode(t *testing.T) {
	reasons := constants(t, "../internal", func(name, kind string) bool {
		return strings.HasPrefix(strings.ToLower(name), "reason") || kind == "ObstacleReason" || kind == "Limit"
	})
	conditions := constants(t, "../api/v1alpha1", func(name, _ string) bool { return strings.HasPrefix(name, "Condition") })
	if len(reasons) < 50 || len(conditions) < 10 {
		t.Fatalf("the code has %d reasons and %d conditions: look where they are now", len(reasons), len(conditions))
	}
	explained := tablesOf(t, "troubleshooting.md")
	for reason, file := range reasons {
		if !slices.ContainsFunc(explained, func(r row) bool { return slices.Contains(r.names, reason) }) {
			t.Errorf("no table of troubleshooting.md has %s, which %s has", reason, file)
		}
	}
	for _, r := range explained {
		if r.column != "reason" {
			continue
		}
		if _, known := conditions[r.heading]; !known {
			t.Errorf("%q has a table of reasons, and is no condition", r.heading)
		}
		for _, name := range r.names {
			if _, known := reasons[name]; !known {
				t.Errorf("troubleshooting.md explains the reason %s of %s, which the code does not have", name, r.heading)
			}
		}
	}
}

// row is a row of a table: the heading above it, the title of its first column, and the names in the first cell.
type row struct {
	heading, column string
	names           []string
}

var name = regexp.MustCompile("`([A-Z][A-Za-z]+)`")

// tablesOf has the rows of a page whose first cell is names, and nothing else.
func tablesOf(t *testing.T, page string) []row {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var (
		rows            []row
		heading, column string
	)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			heading = title
		}
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 3:
			column = ""
			continue
		case column == "":
			column = strings.TrimSpace(cells[1])
			continue
		case strings.Trim(name.ReplaceAllString(cells[1], ""), ", ") != "":
			continue
		}
		r := row{heading: heading, column: column}
		for _, match := range name.FindAllStringSubmatch(cells[1], -1) {
			r.names = append(r.names, match[1])
		}
		rows = append(rows, r)
	}
	return rows
}

// constants has the values of the constants of text below a directory that are asked for by name and type, with the file
// of each.
func constants(t *testing.T, dir string, wanted func(name, kind string) bool) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range parsed.Decls {
			constants, ok := declared.(*ast.GenDecl)
			if !ok || constants.Tok != token.CONST {
				continue
			}
			for _, spec := range constants.Specs {
				addConstants(found, spec.(*ast.ValueSpec), path, wanted)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func addConstants(found map[string]string, spec *ast.ValueSpec, path string, wanted func(name, kind string) bool) {
	kind, _ := spec.Type.(*ast.Ident)
	for i, name := range spec.Names {
		if i >= len(spec.Values) || !wanted(name.Name, kindName(kind)) {
			continue
		}
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		if value, err := strconv.Unquote(literal.Value); err == nil && value != "" {
			found[value] = path
		}
	}
}

func kindName(kind *ast.Ident) string {
	if kind == nil {
		return ""
	}
	return kind.Name
}
