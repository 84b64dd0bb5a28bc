package operator

import (
	"errors"
	"testing"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
)

func TestWhatReadinessSays(t *testing.T) {
	refused := errors.New("pods is forbidden")
	for name, c := range map[string]struct {
		waits        string
		why          error
		missing      map[string]error
		all          bool
		notes, wants string
	}{
		"it waits":                {waits: "the cache", wants: "waiting for the cache"},
		"it waits, and knows why": {waits: "the cache", why: refused, wants: "waiting for the cache: pods is forbidden"},
		"all is well":             {},
		"it is ready without a namespace, and says so": {missing: map[string]error{"b": refused}, notes: "no rights in the namespace b: pods is forbidden"},
		"two are named in their order": {
			missing: map[string]error{"c": refused, "b": refused},
			notes:   "no rights in the namespace b: pods is forbidden\nno rights in the namespace c: pods is forbidden",
		},
		"without any it is not ready": {missing: map[string]error{"*": refused}, all: true, wants: "no rights in the namespace *: pods is forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStanding(testr.New(t))
			s.waitFor(c.waits, c.why)
			s.doWithout(func() (map[string]error, bool) { return c.missing, c.all })
			notes, err := s.ready()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff([]string{c.notes, c.wants}, []string{notes, got}); diff != "" {
				t.Errorf("notes and error (-want +got):\n%s", diff)
			}
		})
	}
}
