package logs

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
)

// A warning of the API server is told once for what it is about, in that one's words.
func TestWarningsOfTheAPIServer(t *testing.T) {
	var lines strings.Builder
	ctx := logr.NewContext(t.Context(), New(&lines, Options{}))
	about := func(what string) context.Context { return About(ctx, what, strings.ToUpper) }
	var a Answers
	for _, said := range []struct {
		ctx  context.Context
		code int
		text string
	}{
		{about("one"), 299, "old"}, {about("one"), 299, "old"}, {about("two"), 299, "old"},
		{about("one"), 299, "other"}, {about("one"), 199, "unlike"}, {about("one"), 299, ""}, {ctx, 299, "plain"},
	} {
		a.HandleWarningHeaderWithContext(said.ctx, said.code, "-", said.text)
	}
	line := func(says string) string { return "level=WARN msg=\"The API server warns\" says=" + says + "\n" }
	if diff := cmp.Diff(line("OLD")+line("OLD")+line("OTHER")+line("plain"), timeOf.ReplaceAllString(lines.String(), "")); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
