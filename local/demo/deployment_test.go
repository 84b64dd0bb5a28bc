package demo

import (
	"testing"
	"time"
)

func TestADeploymentTakesTheNewestWhateverTheyDo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, test := range map[string]struct {
		candidates []candidate
		want       string
	}{
		"nobody is there":                     {nil, ""},
		"one that is not ready goes first":    {[]candidate{{"a", "1", ago(time.Second)}, {"b", "2", time.Time{}}}, "b"},
		"the newest goes first":               {[]candidate{{"a", "1", ago(time.Minute)}, {"b", "2", ago(time.Second)}}, "b"},
		"among those of one age the UID does": {[]candidate{{"a", "2", ago(20 * time.Second)}, {"b", "1", ago(21 * time.Second)}}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := deploymentTakes(test.candidates, now); got != test.want {
				t.Errorf("it takes %q, want %q", got, test.want)
			}
		})
	}
}
