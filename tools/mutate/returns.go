package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"
)

// returned has a function return nothing: zero values, or no error.
func (m *mutator) returned(s *ast.ReturnStmt) {
	f := &m.funcs[len(m.funcs)-1]
	if len(s.Results) == 0 || len(f.results) == 0 {
		return
	}
	types := make([]string, len(f.results))
	for i, t := range f.results {
		types[i] = m.textOf(t)
	}
	if len(types) == 1 && types[0] == "bool" {
		return // negated already
	}
	zero := make([]bool, len(s.Results))
	for i, e := range s.Results {
		zero[i] = m.isZero(e)
	}
	if !slices.Contains(zero, false) {
		return
	}
	zeros, ok := m.zeros(f)
	if !ok {
		return
	}
	id := m.mutant(s.Pos(), "returns zero values")
	before := fmt.Sprintf("if mutantOn(%d) { return %s }; ", id, strings.Join(zeros, ", "))
	last := len(s.Results) - 1
	if last > 0 && types[last] == "error" && !zero[last] && slices.Contains(zero[:last], false) {
		id := m.mutant(s.Pos(), "returns no error")
		values := make([]string, 0, len(types))
		for _, e := range s.Results[:last] {
			values = append(values, m.textOf(e))
		}
		before += fmt.Sprintf("if mutantOn(%d) { return %s }; ", id, strings.Join(append(values, "nil"), ", "))
	}
	m.wrap(s, before, "")
}

// zeros has an expression for the zero value of each of a function's results. Its types get names at package level,
// where nothing in the function hides what they are made of.
func (m *mutator) zeros(f *function) ([]string, bool) {
	if f.aliases == nil {
		for _, t := range f.results {
			if !m.global(t) {
				return nil, false
			}
		}
		for _, t := range f.results {
			m.aliases++
			alias := fmt.Sprintf("mutantType%d_%d", m.first, m.aliases)
			m.tail = append(m.tail, fmt.Sprintf("type %s = %s", alias, m.textOf(t)))
			f.aliases = append(f.aliases, fmt.Sprintf("*new(%s)", alias))
		}
	}
	return f.aliases, true
}

// global tells whether a type can be written at package level.
func (m *mutator) global(t ast.Expr) bool {
	global := true
	ast.Inspect(t, func(n ast.Node) bool {
		if i, ok := n.(*ast.Ident); ok {
			switch o := m.info.Uses[i].(type) {
			case *types.TypeName:
				if _, parameter := o.Type().(*types.TypeParam); parameter || o.Pkg() != nil && o.Parent() != o.Pkg().Scope() {
					global = false
				}
			}
		}
		return global
	})
	return global
}

func (m *mutator) isZero(e ast.Expr) bool {
	if t, ok := m.info.Types[e]; ok {
		if t.IsNil() {
			return true
		}
		if t.Value != nil {
			switch t.Value.Kind() {
			case constant.Bool:
				return !constant.BoolVal(t.Value)
			case constant.String:
				return constant.StringVal(t.Value) == ""
			default:
				return constant.Sign(t.Value) == 0
			}
		}
	}
	c, ok := e.(*ast.CompositeLit)
	if !ok || len(c.Elts) > 0 {
		return false
	}
	_, isStruct := m.info.TypeOf(c).Underlying().(*types.Struct)
	return isStruct
}
