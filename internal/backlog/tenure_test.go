package backlog

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// What follows from who has had the claim, and when.
func TestTenure(t *testing.T) {
	const (
		own, rival, second = "own", "rival", "second"
		none               = ""
		failure            = "failure"
		pending            = "waiting until the claim of the operator before this one has ended"
		other              = "another operator, rival, returns the tasks of dead workers at this broker, for this cluster or a copy of it, and this one does not; stop the operator that is not to run, or give the copy another broker. This operator goes on 10m0s after the other was last seen"
	)
	type answer struct {
		at   time.Duration
		from string
	}
	// renewed are answers in which the rival has renewed his claim each second, n times.
	renewed := func(n int) (answers []answer) {
		for i := range n + 1 {
			answers = append(answers, answer{time.Duration(i) * time.Second, rival + " " + strconv.Itoa(i)})
		}
		return answers
	}
	const s = time.Second
	for name, c := range map[string]struct {
		answers  []answer
		asksAt   time.Duration
		obstacle string
		mayTake  bool
	}{
		"nobody has asked":                             {nil, 0, pending, true},
		"it is ours":                                   {[]answer{{0, own}}, 0, "", true},
		"it is another's":                              {[]answer{{0, rival}}, 0, pending, true},
		"it was ours, and is another's":                {[]answer{{0, own}, {1, rival}}, 1, pending, true},
		"it was ours, and is nobody's":                 {[]answer{{0, own}, {1, none}}, 1, pending, true},
		"it was ours, and nobody knows":                {[]answer{{0, own}, {1, failure}}, 1, failure, true},
		"nobody knew, and it is another's":             {[]answer{{0, failure}, {1, rival}}, 1, pending, true},
		"nobody knew, and it is nobody's":              {[]answer{{0, failure}, {1, none}}, 1, pending, true},
		"nobody knew, and it is ours":                  {[]answer{{0, failure}, {1, own}}, 1, "", true},
		"another renews it for less than two expiries": {[]answer{{0, rival}, {rivalProof - 1, rival}}, rivalProof, pending, true},
		"another renews it for two expiries":           {[]answer{{0, rival}, {rivalProof, rival}}, rivalProof, other, false},
		"another renews it under a second name":        {[]answer{{0, second}, {rivalProof, rival}}, rivalProof, other, false},
		"the rival pauses":                             {[]answer{{0, rival}, {1, none}, {rivalProof, rival}}, rivalProof, other, false},
		"the rival has ended":                          {[]answer{{0, rival}, {rivalProof, rival}, {rivalProof + 1, none}}, rivalProof + 1, other, false},
		"the rival ended less than ten minutes ago":    {[]answer{{0, rival}, {rivalProof, rival}, {rivalProof + 1, none}}, rivalProof + rivalTimeout - 1, other, false},
		"the rival was seen ten minutes ago":           {[]answer{{0, rival}, {rivalProof, rival}, {rivalProof + 1, none}}, rivalProof + rivalTimeout, other, true},
		"we have it after the rival":                   {[]answer{{0, rival}, {rivalProof, rival}, {rivalProof + 1, own}}, rivalProof + 1, "", true},
		"the rival comes back after that":              {[]answer{{0, rival}, {rivalProof, rival}, {rivalProof + 1, own}, {rivalProof + 2, rival}}, rivalProof + 2, pending, true},
		"another renews it four times":                 {renewed(4), 4 * s, other, false},
		"another renews it three times":                {renewed(3), 3 * s, pending, false},
		"it is gone before it can have ended":          {append(renewed(1), answer{2 * s, none}), 30 * s, pending, false},
		"it has ended after a renewal":                 {append(renewed(1), answer{31 * s, none}), 31 * s, pending, true},
		"it is gone, and was not renewed":              {append(renewed(0), answer{2 * s, none}), 2 * s, pending, true},
		"each is another's":                            {[]answer{{0, "a 1"}, {1, "b 2"}, {2, "a 3"}, {3, "b 4"}, {4, "a 5"}}, 4, pending, true},
		"the one renewed four times has ended":         {append(renewed(4), answer{34 * s, none}), 4*s + rivalTimeout - 1, other, false},
		"it ended ten minutes ago":                     {append(renewed(4), answer{34 * s, none}), 4*s + rivalTimeout, other, true},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Unix(0, 0)
			var tenure tenure
			for _, a := range c.answers {
				if a.from == failure {
					tenure.failed(errors.New(failure), began.Add(a.at))
				} else {
					process, renewals, _ := strings.Cut(a.from, " ")
					tenure.answered(own, broker.Claimant{Process: process, Mark: "mark of " + process, Renewals: renewals}, began.Add(a.at))
				}
				if want := began.Add(a.at); !tenure.asked.Equal(want) {
					t.Errorf("asked at %s, want %s", tenure.asked, want)
				}
			}
			got := ""
			if err := tenure.obstacle(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.obstacle, got); diff != "" {
				t.Errorf("what is in the way (-want +got):\n%s", diff)
			}
			if got := tenure.mayTake(began.Add(c.asksAt)); got != c.mayTake {
				t.Errorf("may take it: %t, want %t", got, c.mayTake)
			}
			if tenure.ours && tenure.mark != "mark of own" {
				t.Errorf("the mark is %q", tenure.mark)
			}
			reason := broker.ReasonOf(tenure.obstacle())
			if is := reason == broker.ReasonOtherOperator; is != (c.obstacle == other) {
				t.Errorf("the reason is %s", reason)
			}
		})
	}
}
