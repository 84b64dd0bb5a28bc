package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
)

// constant changes a constant a little: a whole number by one, a duration or a fraction to its double, true to false.
// Where a number is a bound, it goes to the side to which a change of the comparison does not move it.
func (m *mutator) constant(e ast.Expr, t types.TypeAndValue) {
	name := ""
	basic, ok := t.Type.(*types.Basic)
	switch {
	case ok && basic.Info()&types.IsBoolean != 0:
		m.negate(e, "`%s` becomes %v", m.brief(e), !constant.BoolVal(t.Value))
		return
	case ok && basic.Info()&types.IsUntyped == 0 && basic.Info()&(types.IsInteger|types.IsFloat) != 0:
		name = "[" + basic.Name() + "]"
	case t.Type.String() == "time.Duration" && constant.Sign(t.Value) != 0:
		name = "[mutantDuration]" // a bare 2 is a duration because of what it multiplies, and would be an int in a call
	default:
		return
	}
	call, change := "mutantMore", "is one more"
	switch {
	case !ok || basic.Info()&types.IsFloat != 0 && constant.Sign(t.Value) != 0:
		call, change = "mutantDouble", "is doubled"
	case m.boundsFromAbove(e):
		call, change = "mutantFewer", "is one less"
	}
	id := m.mutant(e.Pos(), "`%s` %s", m.brief(e), change)
	m.wrap(e, fmt.Sprintf("%s%s(%d, ", call, name, id), ")")
}

// boundsFromAbove tells whether a constant is compared in such a way that one more is what <= for < (or > for >=) makes.
func (m *mutator) boundsFromAbove(e ast.Expr) bool {
	b, ok := m.parent().(*ast.BinaryExpr)
	if !ok {
		return false
	}
	if b.X == e {
		return b.Op == token.GTR || b.Op == token.LEQ
	}
	return b.Op == token.LSS || b.Op == token.GEQ
}

// besideFailure tells of what is returned together with false, or with an error: nobody looks at it.
func (m *mutator) besideFailure(e ast.Expr) bool {
	s, ok := m.parent().(*ast.ReturnStmt)
	if !ok || s.Results[len(s.Results)-1] == e {
		return false
	}
	last := s.Results[len(s.Results)-1]
	switch t := m.info.Types[last]; {
	case t.Value != nil && t.Value.Kind() == constant.Bool:
		return !constant.BoolVal(t.Value)
	default:
		return !t.IsNil() && types.Identical(t.Type, types.Universe.Lookup("error").Type())
	}
}
