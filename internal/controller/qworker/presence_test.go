package qworker

import (
	"testing"
	"time"

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
