package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// statement has a statement be left out, or a function return nothing.
func (m *mutator) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ReturnStmt:
		m.returned(s)
		if len(s.Results) > 0 || len(m.funcs[len(m.funcs)-1].results) > 0 {
			return
		}
	case *ast.BranchStmt:
		if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
			return
		}
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE || !m.matters(s) {
			return
		}
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "panic" {
				return
			}
		}
	case *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
	default:
		return
	}
	switch m.parent().(type) {
	case *ast.BlockStmt, *ast.CaseClause:
	case *ast.CommClause:
		if m.parent().(*ast.CommClause).Comm == s {
			return
		}
	default:
		return
	}
	id := m.mutant(s.Pos(), "without `%s`", m.brief(s))
	m.wrap(s, fmt.Sprintf("if !mutantOn(%d) { ", id), " }")
}

// quiet tells of a call that no test should notice: a line for the log, or a lock, for which there is the race detector.
func (m *mutator) quiet(s ast.Stmt) bool {
	var call *ast.CallExpr
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, _ = s.X.(*ast.CallExpr)
	case *ast.DeferStmt:
		call = s.Call
	}
	if call == nil {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	callee, ok := m.info.Uses[selector.Sel].(*types.Func)
	if !ok || callee.Pkg() == nil {
		return false
	}
	switch callee.Pkg().Path() {
	case "sync":
		return strings.HasSuffix(callee.Name(), "ock") // Lock, Unlock, RLock, RUnlock
	case "github.com/go-logr/logr", "log/slog":
		return true
	}
	return false
}

// matters tells whether an assignment does anything but say that a value is not used.
func (m *mutator) matters(s *ast.AssignStmt) bool {
	named := slices.ContainsFunc(s.Lhs, func(e ast.Expr) bool { i, ok := e.(*ast.Ident); return !ok || i.Name != "_" })
	calls := slices.ContainsFunc(s.Rhs, func(e ast.Expr) bool { _, ok := e.(*ast.CallExpr); return ok })
	return named || calls
}
