package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
)

// Options is how lines are written.
type Options struct {
	// Level is the least that is written.
	Level slog.Level
	// JSON writes objects, and not text.
	JSON bool
}

// New is a logger that writes a line for each record.
func New(w io.Writer, o Options) logr.Logger {
	options := &slog.HandlerOptions{Level: o.Level, ReplaceAttr: replace}
	if o.JSON {
		return logr.FromSlogHandler(handler{slog.NewJSONHandler(w, options)})
	}
	return logr.FromSlogHandler(handler{slog.NewTextHandler(w, options)})
}

// Chatter is the logger of a library that tells how it goes on. Its errors stay errors; the rest is for debugging.
func Chatter(log logr.Logger) logr.Logger { return log.V(-int(slog.LevelDebug)) }

func replace(groups []string, a slog.Attr) slog.Attr { return short(plainLevel(groups, a)) }

// mostBytes is how much of a text or of an error is written. Whoever has the API server refuse something, as by a webhook,
// chooses how long its words are, and the same refusal comes at each try.
const mostBytes = 4 << 10

// short cuts a text or an error that is longer.
func short(a slog.Attr) slog.Attr {
	text, ok := a.Value.Any().(string)
	if err, isError := a.Value.Any().(error); isError {
		text, ok = err.Error(), true
	}
	if ok && len(text) > mostBytes {
		a.Value = slog.StringValue(fmt.Sprintf("%s ... (%d bytes)", strings.ToValidUTF8(text[:mostBytes], ""), len(text)))
	}
	return a
}

// plainLevel says DEBUG of every level below INFO: logr has many.
func plainLevel(_ []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey && level < slog.LevelInfo {
		a.Value = slog.StringValue(slog.LevelDebug.String())
	}
	return a
}

// handler has those errors for debugging that are no trouble.
type handler struct{ slog.Handler }

// Handle is slog.Handler's.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError && isNoTrouble(r) {
		if r.Level = slog.LevelDebug; !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is slog.Handler's.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup is slog.Handler's.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
