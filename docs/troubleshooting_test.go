// Package docs has the documentation. Its test keeps it from falling behind the code.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every reason that a condition can have is in docs/troubleshooting.md.
func TestEveryReasonIsExplained(t *testing.T) {
	page, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		"../internal/controller/qworker/report/reasons.go",
		"../internal/controller/qworker/sizing/condition.go",
		"../internal/connection/resolver.go",
		"../internal/broker/errors.go",
	} {
		reasons := reasonsIn(t, file)
		if len(reasons) == 0 {
			t.Errorf("%s declares no reasons any more: look where they are", file)
		}
		for _, reason := range reasons {
			if !strings.Contains(string(page), "`"+reason+"`") {
				t.Errorf("troubleshooting.md does not explain %s, which %s has", reason, file)
			}
		}
	}
}

// reasonsIn has the values of the constants of a file whose names begin with "reason".
func reasonsIn(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			if !strings.HasPrefix(strings.ToLower(name.Name), "reason") || i >= len(spec.Values) {
				continue
			}
			if value, ok := spec.Values[i].(*ast.BasicLit); ok && value.Kind == token.STRING {
				reason, err := strconv.Unquote(value.Value)
				if err != nil {
					t.Fatal(err)
				}
				reasons = append(reasons, reason)
			}
		}
		return true
	})
	return reasons
}
