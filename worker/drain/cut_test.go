package drain

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestWhichSignalsCut(t *testing.T) {
	type received struct {
		signal os.Signal
		after  time.Duration
	}
	for name, test := range map[string]struct {
		signals []received
		want    bool
	}{
		"one SIGINT does not":                       {signals: []received{{os.Interrupt, 0}}},
		"two at once do not":                        {signals: []received{{os.Interrupt, 0}, {os.Interrupt, 0}}},
		"the second a moment too early does not":    {signals: []received{{os.Interrupt, 0}, {os.Interrupt, pressedAgain - 1}}},
		"the second at that moment does":            {signals: []received{{os.Interrupt, 0}, {os.Interrupt, pressedAgain}}, want: true},
		"the third counts from the first":           {signals: []received{{os.Interrupt, 0}, {os.Interrupt, 1}, {os.Interrupt, pressedAgain}}, want: true},
		"more of them change nothing":               {signals: []received{{os.Interrupt, 0}, {os.Interrupt, time.Hour}, {os.Interrupt, 2 * time.Hour}}, want: true},
		"SIGTERMs do not, however many":             {signals: []received{{syscall.SIGTERM, 0}, {syscall.SIGTERM, 1}, {syscall.SIGTERM, time.Hour}}},
		"a SIGINT after a SIGTERM is the first one": {signals: []received{{syscall.SIGTERM, 0}, {os.Interrupt, time.Hour}}},
		"a SIGTERM after a SIGINT does not":         {signals: []received{{os.Interrupt, 0}, {syscall.SIGTERM, time.Hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := Watch(t.Context(), WithFile(""), WithSignals())
			defer w.Stop()
			began := time.Now()
			for _, r := range test.signals {
				w.receive(r.signal, began.Add(r.after))
			}
			cut := false
			select {
			case <-w.Cut():
				cut = true
			default:
			}
			if cut != test.want {
				t.Errorf("cut: %t, want %t", cut, test.want)
			}
			if _, told := w.Told(); !told {
				t.Error("the worker is not told to leave")
			}
		})
	}
}
