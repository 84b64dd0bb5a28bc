package qworker

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/bubbletest"
)

// A namespace with thousands of lists of workers that never were asks for their pods at a bounded pace, and holds up no
// other.
func TestANamespaceAsksForItsPodsAtItsPace(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var p presencePace
		began := time.Now()
		const more = 500
		for range presencesAtOnce + more {
			if err := p.wait(t.Context(), "inventing"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != more/presencesPerSecond*time.Second {
			t.Errorf("%d were asked in %s, want %ds", presencesAtOnce+more, took, more/presencesPerSecond)
		}
		began = time.Now()
		if err := p.wait(t.Context(), "quiet"); err != nil || time.Since(began) > 0 {
			t.Errorf("another namespace waits for %s (%v)", time.Since(began), err)
		}
	})
}

// Namespaces that have not asked for a while, which may be gone, are forgotten. Those that are held back are not.
func TestThePaceOfANamespaceIsForgotten(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var p presencePace
		ask := func(namespace string, times int) {
			t.Helper()
			for range times {
				if err := p.wait(t.Context(), namespace); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 100 {
			ask(fmt.Sprintf("gone-%d", i), 1)
		}
		ask("busy", presencesAtOnce)
		<-time.After(time.Second)
		ask("next", 1)
		if diff := cmp.Diff([]string{"busy", "next"}, slices.Sorted(maps.Keys(p.byNamespace))); diff != "" {
			t.Errorf("remembered (-want +got):\n%s", diff)
		}
		began := time.Now()
		ask("busy", presencesAtOnce)
		if took := time.Since(began).Round(time.Second); took != (presencesAtOnce-presencesPerSecond)/presencesPerSecond*time.Second {
			t.Errorf("the busy one waited for %s", took)
		}
	})
}
