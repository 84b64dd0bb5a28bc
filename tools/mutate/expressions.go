package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// expression makes the mutants of an expression, and tells whether to look into it.
func (m *mutator) expression(e ast.Expr) bool {
	if t, ok := m.info.Types[e]; ok && t.Value != nil {
		if pair, ok := m.parent().(*ast.KeyValueExpr); ok && pair.Key == e || m.besideFailure(e) {
			return false
		}
		m.constant(e, t)
		return false
	}
	switch e := e.(type) {
	case *ast.CallExpr:
		if m.sizes(e) {
			return false
		}
		m.condition(e)
	case *ast.BinaryExpr:
		m.binary(e)
	case *ast.UnaryExpr:
		switch e.Op {
		case token.NOT:
			m.negate(e, "`%s` loses its !", m.brief(e))
		case token.SUB:
			id := m.mutant(e.Pos(), "`%s` loses its -", m.brief(e))
			m.replace(e.OpPos, e.OpPos+1, fmt.Sprintf("mutantNegative(%d, ", id))
			m.wrap(e, "", ")")
		}
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.TypeAssertExpr, *ast.StarExpr:
		m.condition(e)
	}
	return true
}

// sizes tells of a call that only reserves space: make with a capacity, or a map's size.
func (m *mutator) sizes(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	if !ok || f.Name != "make" {
		return false
	}
	_, isMap := m.info.TypeOf(call).Underlying().(*types.Map)
	return isMap || len(call.Args) == 3 && m.text[m.offset(call.Args[1].Pos())] == '0'
}

func (m *mutator) negate(e ast.Expr, format string, args ...any) {
	id := m.mutant(e.Pos(), format, args...)
	m.wrap(e, "((", fmt.Sprintf(") != mutantOn(%d))", id))
}

// condition negates a value on which the way of the program depends.
func (m *mutator) condition(e ast.Expr) {
	t, ok := m.info.Types[e]
	if !ok || !t.IsValue() {
		return
	}
	basic, ok := t.Type.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsBoolean == 0 {
		return
	}
	switch p := m.parent().(type) {
	case *ast.IfStmt:
		ok = p.Cond == e
	case *ast.ForStmt:
		ok = p.Cond == e
	case *ast.BinaryExpr:
		ok = p.Op == token.LAND || p.Op == token.LOR
	case *ast.CaseClause, *ast.ReturnStmt:
	default:
		ok = false
	}
	if ok {
		m.negate(e, "`%s` is negated", m.brief(e))
	}
}

var (
	ordered = map[token.Token]struct{ call, boundary, negation string }{
		token.LSS: {"mutantLess", "<=", ">="},
		token.LEQ: {"mutantLessEqual", "<", ">"},
		token.GTR: {"mutantGreater", ">=", "<="},
		token.GEQ: {"mutantGreaterEqual", ">", "<"},
	}
	arithmetic = map[token.Token]struct{ call, becomes string }{
		token.ADD: {"mutantAdd", "-"},
		token.SUB: {"mutantSubtract", "+"},
		token.MUL: {"mutantMultiply", "/"},
		token.QUO: {"mutantDivide", "*"},
		token.REM: {"mutantRemainder", "*"},
	}
)

func (m *mutator) binary(e *ast.BinaryExpr) {
	operator := func(call string) {
		m.wrap(e, call, ")")
		m.replace(e.OpPos, e.OpPos+token.Pos(len(e.Op.String())), ",")
	}
	becomes := func(what string) int {
		return m.mutant(e.Pos(), "`%s`: %s becomes %s", m.brief(e), e.Op, what)
	}
	switch e.Op {
	case token.EQL:
		m.negate(e, "`%s`: == becomes !=", m.brief(e))
	case token.NEQ:
		m.negate(e, "`%s`: != becomes ==", m.brief(e))
	case token.LAND, token.LOR:
		call, other := "mutantAnd", "||"
		if e.Op == token.LOR {
			call, other = "mutantOr", "&&"
		}
		m.wrap(e, fmt.Sprintf("%s(%d, ", call, becomes(other)), ")")
		m.replace(e.OpPos, e.OpPos+2, ", func() bool { return (")
		m.wrap(e.Y, "", ") }")
	default:
		if o, ok := ordered[e.Op]; ok {
			operator(fmt.Sprintf("%s(%d, %d, ", o.call, becomes(o.boundary), becomes(o.negation)))
		} else if a, ok := arithmetic[e.Op]; ok && m.isNumber(e) {
			operator(fmt.Sprintf("%s(%d, ", a.call, becomes(a.becomes)))
		}
	}
}

func (m *mutator) isNumber(e ast.Expr) bool {
	basic, ok := m.info.TypeOf(e).Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsInteger|types.IsFloat) != 0
}
