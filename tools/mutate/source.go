package main

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// source is the text of a file and what is to be written into it. Lines stay where they are.
type source struct {
	text  []byte
	base  int
	edits []edit
	tail  []string // lines to append
}

// edit puts text in the place of what is between two offsets.
type edit struct {
	from, to int
	text     string
	closes   bool // ends what an earlier edit began
	order    int
}

func (s *source) offset(p token.Pos) int { return int(p) - s.base }

func (s *source) textOf(n ast.Node) string {
	return string(s.text[s.offset(n.Pos()):s.offset(n.End())])
}

// line is the line of a place, without the space around it.
func (s *source) line(p token.Pos) string {
	at := s.offset(p)
	from := bytes.LastIndexByte(s.text[:at], '\n') + 1
	to := len(s.text)
	if i := bytes.IndexByte(s.text[at:], '\n'); i >= 0 {
		to = at + i
	}
	return string(bytes.TrimSpace(s.text[from:to]))
}

func (s *source) add(from, to int, text string, closes bool) {
	s.edits = append(s.edits, edit{from: from, to: to, text: text, closes: closes, order: len(s.edits)})
}

// wrap puts text before and after a node. What is wrapped first is outermost.
func (s *source) wrap(n ast.Node, before, after string) {
	if before != "" {
		s.add(s.offset(n.Pos()), s.offset(n.Pos()), before, false)
	}
	if after != "" {
		s.add(s.offset(n.End()), s.offset(n.End()), after, true)
	}
}

func (s *source) replace(from, to token.Pos, text string) {
	s.add(s.offset(from), s.offset(to), text, false)
}

func (s *source) apply() []byte {
	slices.SortFunc(s.edits, func(a, b edit) int {
		switch {
		case a.from != b.from:
			return cmp.Compare(a.from, b.from)
		case a.closes != b.closes && a.closes:
			return -1
		case a.closes != b.closes:
			return 1
		case a.closes:
			return cmp.Compare(b.order, a.order)
		default:
			return cmp.Compare(a.order, b.order)
		}
	})
	var out bytes.Buffer
	done := 0
	for _, e := range s.edits {
		out.Write(s.text[done:e.from])
		out.WriteString(e.text)
		done = e.to
	}
	out.Write(s.text[done:])
	out.WriteString("\n" + strings.Join(s.tail, "\n") + "\n")
	return out.Bytes()
}
