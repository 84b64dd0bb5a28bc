package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// Mutant is one change of the source that a test should notice.
type Mutant struct {
	ID     int
	File   string
	Line   int
	Func   string
	Change string
	Source string // the line, without the space around it
}

// mutator finds the mutants of one file and writes all of them into it, each behind a switch of its own.
type mutator struct {
	source
	fset    *token.FileSet
	info    *types.Info
	name    string
	mutants []Mutant
	first   int // the identity of the first mutant

	parents []ast.Node
	funcs   []function
	aliases int
}

// function is one around the place that is looked at.
type function struct {
	name    string
	results []ast.Expr // one for each value
	aliases []string   // names of their types at package level; empty until asked for
}

// mutate returns the file with its mutants in it.
func mutate(fset *token.FileSet, info *types.Info, file *ast.File, name string, text []byte, first int) ([]byte, []Mutant) {
	m := &mutator{source: source{text: text, base: fset.File(file.Pos()).Base()}, fset: fset, info: info, name: name, first: first}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			m.funcs = []function{{name: funcName(f), results: resultTypes(f.Type)}}
			m.walk(f.Body)
		}
	}
	return m.apply(), m.mutants
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
		case *ast.IndexExpr:
			receiver = t.X
		case *ast.IndexListExpr:
			receiver = t.X
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

func resultTypes(f *ast.FuncType) []ast.Expr {
	var results []ast.Expr
	if f.Results != nil {
		for _, field := range f.Results.List {
			for range max(len(field.Names), 1) {
				results = append(results, field.Type)
			}
		}
	}
	return results
}

// mutant notes a mutant at a place, and returns its identity.
func (m *mutator) mutant(at token.Pos, format string, args ...any) int {
	line := m.fset.Position(at).Line
	id := m.first + len(m.mutants)
	m.mutants = append(m.mutants, Mutant{
		ID: id, File: m.name, Line: line, Func: m.funcs[0].name, Change: fmt.Sprintf(format, args...), Source: m.line(at),
	})
	return id
}

// brief is the beginning of what a node says, in one line.
func (m *mutator) brief(n ast.Node) string {
	const longest = 60
	text := strings.Join(strings.Fields(m.textOf(n)), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + " ..."
	}
	return text
}

func (m *mutator) parent() ast.Node { return m.parents[len(m.parents)-1] }

func (m *mutator) walk(root ast.Node) {
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			last := m.parents[len(m.parents)-1]
			m.parents = m.parents[:len(m.parents)-1]
			if _, ok := last.(*ast.FuncLit); ok {
				m.funcs = m.funcs[:len(m.funcs)-1]
			}
			return false
		}
		if !m.visit(n) {
			return false
		}
		m.parents = append(m.parents, n)
		if f, ok := n.(*ast.FuncLit); ok {
			m.funcs = append(m.funcs, function{name: m.funcs[0].name, results: resultTypes(f.Type)})
		}
		return true
	})
}

// visit makes the mutants of a node, and tells whether to look into it.
func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ArrayType:
		return false
	case *ast.GenDecl:
		return n.Tok == token.VAR
	case ast.Stmt:
		if m.quiet(n) {
			return false
		}
		m.statement(n)
	case ast.Expr:
		return m.expression(n)
	}
	return true
}
