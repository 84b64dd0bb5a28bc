package operator

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/logs"
)

// An API server may never become sure, as with an authorizer that is broken for good. The operator then goes on without
// nodes. It waits on for one that does not answer.
func TestForHowLongTheAPIServerMayBeUnsure(t *testing.T) {
	doubt, away := unsure{errors.New("the authorizer is away")}, errors.New("connection refused")
	type says struct {
		from time.Duration
		may  bool
		err  error
	}
	cases := map[string]struct {
		says     []says
		may      bool
		from, to time.Duration
		warns    int
	}{
		"it is sure":                           {[]says{{may: true}}, true, 0, 0, 0},
		"it becomes sure":                      {[]says{{err: doubt}, {from: 30 * time.Second, may: true}}, true, 30 * time.Second, 40 * time.Second, 0},
		"it never does":                        {[]says{{err: doubt}}, false, doubtLimit, doubtLimit + again.Longest, 1},
		"it is away for an hour":               {[]says{{err: away}, {from: time.Hour, may: true}}, true, time.Hour, time.Hour + again.Longest, 0},
		"it is away, and then unsure for good": {[]says{{err: away}, {from: time.Hour, err: doubt}}, false, time.Hour + doubtLimit, time.Hour + doubtLimit + 2*again.Longest, 1},
		"it is away in between": {
			[]says{{err: doubt}, {from: 50 * time.Second, err: away}, {from: 80 * time.Second, err: doubt}}, false,
			80*time.Second + doubtLimit, 80*time.Second + doubtLimit + 2*again.Longest, 1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				var written bytes.Buffer
				log, began := logs.New(&written, logs.Options{}), time.Now()
				q := nodeQuestion{clock: clock.RealClock{}, log: log, ask: func(context.Context) (bool, error) {
					now := c.says[0]
					for _, later := range c.says {
						if time.Since(began) >= later.from {
							now = later
						}
					}
					return now.may, now.err
				}}
				may, err := q.untilAnswered(t.Context(), newStanding(log))
				if took := time.Since(began); may != c.may || err != nil || took < c.from || took > c.to {
					t.Errorf("%t (%v) after %s, want %t after %s to %s", may, err, took, c.may, c.from, c.to)
				}
				if got := strings.Count(written.String(), "does not become sure"); got != c.warns {
					t.Errorf("it warns %d times, want %d:\n%s", got, c.warns, written.String())
				}
			})
		})
	}
}
