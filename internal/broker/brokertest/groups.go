package brokertest

import (
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

// groups: a queue that is asked for without a consumer group where the broker has them, or with one where it has none,
// is refused, and the others are answered.
func groups(t *testing.T, h Harness) {
	s := h.Start(t)
	d := open(t, h, s.Settings())
	s.Push("q", 3)
	wrong := h.query("q", "w")
	if wrong.Group == "" {
		wrong.Group = "too-much"
	} else {
		wrong.Group = ""
	}
	answers, err := d.Depths(t.Context(), []broker.Query{h.query("q"), wrong, h.query("q", "w")})
	if err != nil || len(answers) != 3 {
		t.Fatalf("%+v, %v; want three answers", answers, err)
	}
	check(t, h, answers[0].Depth, 3, 0, nil)
	check(t, h, answers[2].Depth, 3, 0, map[string]int64{"w": 0})
	if err := answers[1].Err; broker.ReasonOf(err) != broker.ReasonInvalidGroup {
		t.Errorf("with the group %q: %+v, want the reason %s", wrong.Group, answers[1], broker.ReasonInvalidGroup)
	}
	for _, i := range []int{0, 2} {
		if answers[i].Err != nil {
			t.Errorf("with the group %q: %v", h.Group, answers[i].Err)
		}
	}
	if _, err := d.Depths(t.Context(), []broker.Query{wrong}); err != nil {
		t.Errorf("with no other query the server is still asked whether it answers: %v", err)
	}
}
