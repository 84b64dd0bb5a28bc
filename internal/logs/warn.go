package logs

import (
	"context"
	"log/slog"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
)

// Event logs what an event tells: one of the type Warning as a warning.
func Event(log logr.Logger, kind, reason string, keysAndValues ...any) {
	if kind == corev1.EventTypeWarning {
		Warn(log, reason, keysAndValues...)
		return
	}
	log.Info(reason, keysAndValues...)
}

// Warn logs trouble: what asks for a person, or will if it goes on.
func Warn(log logr.Logger, message string, keysAndValues ...any) {
	slog.New(logr.ToSlogHandler(log)).Log(context.Background(), slog.LevelWarn, message, keysAndValues...)
}
