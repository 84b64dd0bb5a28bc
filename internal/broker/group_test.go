package broker

import "testing"

// A group is asked for where queues have groups, and refused where they have none.
func TestGroups(t *testing.T) {
	with, without := Query{Queue: "q", Group: "g"}, Query{Queue: "q"}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none where there is none":    {NoGroup(without, "a list"), ""},
		"one where there is none":     {NoGroup(with, "a list"), `scaleConfig.consumerGroup is "g", and a list has no consumer groups; remove it`},
		"one where there are some":    {NeedsGroup(with, "a stream has groups"), ""},
		"none where there are some":   {NeedsGroup(without, "a stream has groups"), `queue "q": a stream has groups; set scaleConfig.consumerGroup to the group that the workers are`},
		"one that hides what it does": {NoGroup(Query{Group: "\x1b[2Jg"}, "a list"), `scaleConfig.consumerGroup is "[2Jg", and a list has no consumer groups; remove it`},
	} {
		if c.want == "" {
			if c.err != nil {
				t.Errorf("%s: %v", name, c.err)
			}
			continue
		}
		if c.err == nil || c.err.Error() != c.want || ReasonOf(c.err) != ReasonInvalidGroup {
			t.Errorf("%s: %v (%s), want %s", name, c.err, ReasonOf(c.err), c.want)
		}
	}
}
