package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var timeOf = regexp.MustCompile(`(?m)^time=\S+ `)

func TestLines(t *testing.T) {
	refused := errors.New("refused")
	ending := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "e", errors.New("the namespace ends"))
	ending.ErrStatus.Details.Causes = append(ending.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	of := func(log logr.Logger) logr.Logger {
		return OfRequests(log, "qworker")(&reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "mail"}})
	}
	cases := map[string]struct {
		log  func(logr.Logger)
		want map[slog.Level]string
	}{
		"what happens": {
			func(log logr.Logger) { of(log).Info("Create", "desired", 3) },
			map[slog.Level]string{slog.LevelInfo: "level=INFO msg=Create qworker=shop/mail desired=3\n", slog.LevelWarn: ""},
		},
		"trouble": {
			func(log logr.Logger) { Warn(of(log), "Timeout", "note", "no answer in time") },
			map[slog.Level]string{slog.LevelWarn: "level=WARN msg=Timeout qworker=shop/mail note=\"no answer in time\"\n", slog.LevelError: ""},
		},
		"an error": {
			func(log logr.Logger) { of(log).Error(refused, "Reconciler error") },
			map[slog.Level]string{slog.LevelError: "level=ERROR msg=\"Reconciler error\" qworker=shop/mail err=refused\n"},
		},
		"an error of which a condition tells": {
			func(log logr.Logger) {
				of(log).Error(fmt.Errorf("creating a pod, %w", Told(refused)), "Reconciler error")
			},
			map[slog.Level]string{slog.LevelInfo: "", slog.LevelDebug: "level=DEBUG msg=\"Reconciler error\" qworker=shop/mail err=\"creating a pod, refused\"\n"},
		},
		"what a library tells": {
			func(log logr.Logger) { Chatter(log).Info("Starting EventSource") },
			map[slog.Level]string{slog.LevelInfo: "", slog.LevelDebug: "level=DEBUG msg=\"Starting EventSource\"\n"},
		},
		"an error of a library": {
			func(log logr.Logger) { Chatter(log).Error(refused, "Serving") },
			map[slog.Level]string{slog.LevelError: "level=ERROR msg=Serving err=refused\n"},
		},
		"a namespace that is being deleted takes no event": {
			func(log logr.Logger) { Chatter(log).Error(ending, "Server rejected event") },
			map[slog.Level]string{slog.LevelInfo: "", slog.LevelDebug: "level=DEBUG msg=\"Server rejected event\" err=\"events \\\"e\\\" is forbidden: the namespace ends\"\n"},
		},
		"what a controller tells of itself": {
			func(log logr.Logger) { OfRequests(log, "qworker")(nil).Info("Starting workers") },
			map[slog.Level]string{slog.LevelInfo: "", slog.LevelDebug: "level=DEBUG msg=\"Starting workers\" controller=qworker\n"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for level, want := range c.want {
				var out strings.Builder
				c.log(New(&out, Options{Level: level}))
				if diff := cmp.Diff(want, timeOf.ReplaceAllString(out.String(), "")); diff != "" {
					t.Errorf("at %s -want +got:\n%s", level, diff)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	var out strings.Builder
	Warn(New(&out, Options{JSON: true}), "Timeout")
	if got := out.String(); !strings.HasSuffix(got, `"level":"WARN","msg":"Timeout"}`+"\n") {
		t.Errorf("the line is %s", got)
	}
}

// A mark is not in the way of those who look for what an error is.
func TestToldIsTheSameError(t *testing.T) {
	refused := errors.New("refused")
	if err := Told(refused); !errors.Is(err, refused) || err.Error() != "refused" {
		t.Errorf("the error is %v", err)
	}
	if Told(nil) != nil {
		t.Error("no error has become one")
	}
}

// A long text is cut, of an error too, and what is left says how long it was.
func TestLongTexts(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"as long as may be":         {strings.Repeat("x", mostBytes), strings.Repeat("x", mostBytes)},
		"longer":                    {strings.Repeat("x", mostBytes+1), strings.Repeat("x", mostBytes) + " ... (4097 bytes)"},
		"a character is cut in two": {strings.Repeat("x", mostBytes-1) + "ä", strings.Repeat("x", mostBytes-1) + " ... (4097 bytes)"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range map[string]any{"err": errors.New(c.text), "note": c.text} {
				var out strings.Builder
				New(&out, Options{JSON: true}).Info("Event", key, value)
				if want := fmt.Sprintf("%q:%q", key, c.want); !strings.Contains(out.String(), want) {
					t.Errorf("%s is written in a line of %d bytes, not as %d bytes", key, out.Len(), len(c.want))
				}
			}
		})
	}
}
