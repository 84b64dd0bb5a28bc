package scaling

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestFormulaAndClamp(t *testing.T) {
	cases := map[string]struct {
		queue Queue
		scale Scale
		want  int
		limit Limit
	}{
		"one worker for each message":                    {queued(3, 0, 0), scale(0, 10), 3, Unlimited},
		"nothing for nothing":                            {queued(0, 0, 0), scale(0, 10), 0, Unlimited},
		"a message in flight is one that needs a worker": {queued(2, 3, 0), scale(0, 10), 5, Unlimited},
		"one that a leaving worker finishes is none":     {queued(2, 3, 2), scale(0, 10), 3, Unlimited},
		"two workers for each message":                   {queued(3, 0, 0), scale(0, 10).each(2, 1), 6, Unlimited},
		"a tenth of 30 is 3, not 4":                      {queued(30, 0, 0), scale(0, 10).each(1, 10), 3, Unlimited},
		"a part of a worker is a worker":                 {queued(31, 0, 0), scale(0, 10).each(1, 10), 4, Unlimited},
		"as many as the maximum are within the range":    {queued(10, 0, 0), scale(0, 10), 10, Unlimited},
		"not above the maximum":                          {queued(11, 0, 0), scale(0, 10), 10, AtMaximum},
		"as few as the minimum are within the range":     {queued(2, 0, 0), scale(2, 10), 2, Unlimited},
		"not below the minimum":                          {queued(1, 0, 0), scale(2, 10), 2, AtMinimum},
		"negative counts, which no broker may give":      {queued(-5, -5, -5), scale(0, 10), 0, Unlimited},
		"more held by leaving workers than in flight":    {queued(0, 1, 5), scale(0, 10), 0, Unlimited},
		"more messages than an int64, times the factor":  {queued(math.MaxInt64, math.MaxInt64, 0), scale(0, 10).each(1000, 1), 10, AtMaximum},
		"a range of one number":                          {queued(7, 0, 0), scale(3, 3), 3, AtMaximum},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Decide(Input{Now: t0, Scale: c.scale, Queue: c.queue})
			if d.Desired != c.want || d.Limit != c.limit {
				t.Errorf("Decide = %d, %q, want %d, %q; %+v", d.Desired, d.Limit, c.want, c.limit, d.Notes)
			}
		})
	}
}

// Every word that a step may say. What was decided first is told beside the notes: desired, limit, and until when.
func TestNotes(t *testing.T) {
	window := []Fact{{"scaleDownDelay", "30s"}}
	limits := []Fact{{"minReplicas", "1"}, {"maxReplicas", "4"}}
	counts := func(waiting, inFlight, leaving string) []Fact {
		return []Fact{{"waiting", waiting}, {"inFlight", inFlight}, {"leaving", leaving}, {"workersPerMessage", "1"}}
	}
	leaving := func(n string) []Fact { return []Fact{{"leaving", n}} }
	const nobody = "no worker is for messages that leaving workers finish"
	cases := map[string]struct {
		before int
		sees   []Queue // a second apart
		want   Decision
	}{
		"a queue that was never read": {3, []Queue{{}}, Decision{Desired: 3, Notes: []Note{
			{Step: Formula, From: 3, To: 3, Why: "the queue has not been read yet"},
			{Step: Window, From: 3, To: 3, Why: "a queue that has not been read says nothing to remember"},
			{Step: Clamp, From: 3, To: 3, Why: "the number is within the range", Inputs: limits},
			{Step: Finishing, From: 3, To: 3, Why: "a queue that has not been read says nothing of who is busy"},
			{Step: Hold, From: 3, To: 3, Why: "the queue cannot be read for certain, and no fewer are asked for than before"},
		}}},
		"one worker for one message": {0, []Queue{queued(1, 0, 0)}, Decision{Asked: 1, Desired: 1, Notes: []Note{
			{Step: Formula, From: 0, To: 1, Why: "the queue asks for 1 worker: 1 waiting + 0 in flight", Inputs: counts("1", "0", "0")},
			{Step: Window, From: 1, To: 1, Why: "no more were asked for in the last 30s", Inputs: window},
			{Step: Clamp, From: 1, To: 1, Why: "the number is within the range", Inputs: limits},
			{Step: Finishing, From: 1, To: 1, Why: nobody, Inputs: leaving("0")},
			{Step: Hold, From: 1, To: 1, Why: "the queue is read"},
		}}},
		"an empty queue": {0, []Queue{queued(0, 0, 0)}, Decision{Desired: 1, Limit: AtMinimum, Notes: []Note{
			{Step: Formula, From: 0, To: 0, Why: "the queue asks for 0 workers: 0 waiting + 0 in flight", Inputs: counts("0", "0", "0")},
			{Step: Window, From: 0, To: 0, Why: "no more were asked for in the last 30s", Inputs: window},
			{Step: Clamp, From: 0, To: 1, Why: "minReplicas keeps 1", Inputs: limits},
			{Step: Finishing, From: 1, To: 1, Why: nobody, Inputs: leaving("0")},
			{Step: Hold, From: 1, To: 1, Why: "the queue is read"},
		}}},
		"more than there may be": {0, []Queue{queued(12, 0, 0)}, Decision{Asked: 12, Desired: 4, Limit: AtMaximum, Notes: []Note{
			{Step: Formula, From: 0, To: 12, Why: "the queue asks for 12 workers: 12 waiting + 0 in flight", Inputs: counts("12", "0", "0")},
			{Step: Window, From: 12, To: 12, Why: "no more were asked for in the last 30s", Inputs: window},
			{Step: Clamp, From: 12, To: 4, Why: "maxReplicas allows 4", Inputs: limits},
			{Step: Finishing, From: 4, To: 4, Why: nobody, Inputs: leaving("0")},
			{Step: Hold, From: 4, To: 4, Why: "the queue is read"},
		}}},
		"fewer than a moment ago, and the first still at work": {0, []Queue{queued(5, 1, 0), queued(0, 3, 1)}, Decision{
			Asked: 2, Desired: 4, Limit: AtMaximum, Until: t0.Add(32 * time.Second), Notes: []Note{
				{Step: Formula, From: 4, To: 2, Why: "the queue asks for 2 workers: 0 waiting + 3 in flight - 1 that leaving workers finish", Inputs: counts("0", "3", "1")},
				{Step: Window, From: 2, To: 6, Why: "6 held until 03:04:37Z by scaleDownDelay (30s)", Inputs: window, Until: t0.Add(32 * time.Second)},
				{Step: Clamp, From: 6, To: 4, Why: "maxReplicas allows 4", Inputs: limits},
				{Step: Finishing, From: 4, To: 4, Why: nobody, Inputs: leaving("1")},
				{Step: Hold, From: 4, To: 4, Why: "the queue is read"},
			},
		}},
		"one of four is let go, and then fewer are asked for": {0, []Queue{queued(0, 4, 0), queued(0, 4, 1), queued(0, 2, 1)}, Decision{
			Asked: 1, Desired: 4, Finishing: 1, Until: t0.Add(32 * time.Second), Notes: []Note{
				{Step: Formula, From: 4, To: 1, Why: "the queue asks for 1 worker: 0 waiting + 2 in flight - 1 that leaving workers finish", Inputs: counts("0", "2", "1")},
				{Step: Window, From: 1, To: 4, Why: "4 held until 03:04:37Z by scaleDownDelay (30s)", Inputs: window, Until: t0.Add(32 * time.Second)},
				{Step: Clamp, From: 4, To: 4, Why: "the number is within the range", Inputs: limits},
				{
					Step: Finishing, From: 4, To: 4, Inputs: leaving("1"), Until: t0.Add(33 * time.Second),
					Why: "1 of 4 is for messages that leaving workers finish: nobody is created for those",
				},
				{Step: Hold, From: 4, To: 4, Why: "the queue is read"},
			},
		}},
		"many, of which it is not known what is in flight": {0, []Queue{{Waiting: Counted(12), Leaving: 11}}, Decision{Asked: 1, Desired: 1, Notes: []Note{
			{Step: Formula, From: 0, To: 1, Why: "the queue asks for 1 worker: 12 waiting + an unknown number in flight - 11 that leaving workers finish", Inputs: counts("12", "unknown", "11")},
			{Step: Window, From: 1, To: 1, Why: "no more were asked for in the last 30s", Inputs: window},
			{Step: Clamp, From: 1, To: 1, Why: "the number is within the range", Inputs: limits},
			{Step: Finishing, From: 1, To: 1, Why: nobody, Inputs: leaving("11")},
			{Step: Hold, From: 1, To: 1, Why: "the queue cannot be read for certain, and no fewer are asked for than before"},
		}}},
		"fewer, and the newest read has failed": {0, []Queue{queued(4, 0, 0), {Waiting: Counted(13), Leaving: 11, Stale: true}}, Decision{
			Asked: 2, Desired: 4, Finishing: 2, Notes: []Note{
				{Step: Formula, From: 4, To: 2, Why: "when it was last read, the queue asked for 2 workers: 13 waiting + an unknown number in flight - 11 that leaving workers finish", Inputs: counts("13", "unknown", "11")},
				{Step: Window, From: 2, To: 4, Why: "4 stay while not all messages can be counted", Inputs: window},
				{Step: Clamp, From: 4, To: 4, Why: "the number is within the range", Inputs: limits},
				{Step: Finishing, From: 4, To: 4, Why: "2 of 4 are for messages that leaving workers finish: nobody is created for those", Inputs: leaving("11")},
				{Step: Hold, From: 4, To: 4, Why: "the queue cannot be read for certain, and no fewer are asked for than before"},
			},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(scale(1, 4), c.before)
			for _, q := range c.sees {
				f.sees(time.Second, q)
			}
			if diff := cmp.Diff(c.want, f.Decision, cmpopts.IgnoreFields(Decision{}, "Memory")); diff != "" {
				t.Errorf("the decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheNoteOfAStep(t *testing.T) {
	d := Decide(Input{Now: t0, Scale: scale(1, 4), Queue: queued(2, 0, 0)})
	if diff := cmp.Diff(d.Notes[4], d.Note(Hold)); diff != "" {
		t.Errorf("the note of the last step (-want +got):\n%s", diff)
	}
	if n := d.Note("none such"); n.Step != "" {
		t.Errorf("a step that is none has left %+v", n)
	}
}

func TestHold(t *testing.T) {
	cases := map[string]struct {
		scale  Scale
		before int
		sees   []Queue
		want   []int
		limit  Limit
	}{
		"before the first reading the last number stands": {
			scale(0, 10), 5, []Queue{{}, {Stale: true}}, []int{5, 5}, Unlimited,
		},
		"within the range, which limits nothing that the queue has asked for": {
			scale(2, 4), 5, []Queue{{}}, []int{4}, Unlimited,
		},
		"a fleet that never was begins with the minimum": {
			scale(2, 4), 0, []Queue{{}}, []int{2}, Unlimited,
		},
		"the first reading that asks for fewer waits for the delay, as any other": {
			scale(0, 10), 5, []Queue{{}, queued(1, 0, 0)}, []int{5, 5}, Unlimited,
		},
		"a failed read moves nothing": {
			scale(0, 10), 0, []Queue{queued(3, 0, 0), queued(3, 0, 0).stale()}, []int{3, 3}, Unlimited,
		},
		"a broker that does not know what is in flight": {
			scale(0, 10), 4, []Queue{{Waiting: Counted(2)}, {Waiting: Counted(6)}, {Waiting: Counted(0)}}, []int{4, 6, 6}, Unlimited,
		},
		"one that does not know what waits": {
			scale(0, 10), 4, []Queue{{InFlight: Counted(2)}, {InFlight: Counted(6)}}, []int{4, 6}, Unlimited,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(c.scale, c.before)
			var got []int
			for _, q := range c.sees {
				got = append(got, f.sees(time.Second, q).Desired)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || f.Limit != c.limit {
				t.Errorf("limit %q, want %q; desired (-want +got):\n%s", f.Limit, c.limit, diff)
			}
		})
	}
}

// What was asked for while the broker answered goes on to age while it does not, so that the number falls at once
// when the broker is back and still asks for as few.
func TestAnOutageOutlastsTheWindow(t *testing.T) {
	f := newFleet(scale(0, 10), 0)
	few := queued(2, 0, 0)
	f.sees(0, queued(5, 0, 0))
	f.sees(time.Second, few)
	for range 3 {
		if d := f.sees(delay, few.stale()); d.Desired != 5 || d.Note(Hold).From != 2 {
			t.Errorf("away, it decides on %d: %+v", d.Desired, d.Notes)
		}
	}
	if d := f.sees(time.Second, few); d.Desired != 2 {
		t.Errorf("back, it decides on %d, want 2", d.Desired)
	}
}

// The number that is held is that of the last decision, not of the process's first: an edit of the range counts.
func TestARangeThatIsEditedWhileTheBrokerIsAway(t *testing.T) {
	f := newFleet(scale(0, 10), 8)
	f.sees(0, Queue{})
	f.in.Scale = scale(0, 5)
	if d := f.sees(time.Second, Queue{}); d.Desired != 5 {
		t.Errorf("it decides on %d, want the new maximum, 5", d.Desired)
	}
	f.in.Scale = scale(0, 10)
	if d := f.sees(time.Second, Queue{}); d.Desired != 5 {
		t.Errorf("it decides on %d, want 5: nobody has asked for more", d.Desired)
	}
}

func TestFinishing(t *testing.T) {
	type seen struct {
		queue Queue
		want  int
	}
	cases := map[string]struct {
		before int
		sees   []seen // a second apart
	}{
		"those that are let go, and have left, until others come": {0, []seen{
			{queued(0, 8, 0), 0}, {queued(0, 8, 2), 2}, {queued(0, 6, 0), 2}, {queued(2, 6, 0), 0},
		}},
		"one that is let go":                             {0, []seen{{queued(0, 8, 0), 0}, {queued(0, 8, 1), 1}}},
		"those that go on leaving are no more each time": {0, []seen{{queued(0, 8, 0), 0}, {queued(0, 5, 2), 2}, {queued(0, 5, 2), 2}}},
		"those that have left bring back nobody":         {0, []seen{{queued(0, 8, 0), 0}, {queued(0, 5, 2), 2}, {queued(0, 3, 0), 2}}},
		"those that were leaving before the process began, and are no part of what was desired then": {8, []seen{
			{queued(0, 5, 2), 0}, {queued(0, 4, 1), 0}, {queued(0, 4, 2), 1},
		}},
		"a fall after a restart waits, and is of nobody that leaves": {5, []seen{{queued(2, 0, 0), 0}, {queued(1, 0, 0), 0}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(scale(0, 10), c.before)
			for i, s := range c.sees {
				if got := f.sees(time.Second, s.queue).Finishing; got != s.want {
					t.Errorf("decision %d: %d are finishing, want %d: %+v", i, got, s.want, f.Notes)
				}
			}
		})
	}
	t.Run("once the window is over there are none", func(t *testing.T) {
		f := newFleet(scale(0, 10), 0)
		f.sees(0, queued(0, 8, 0))
		f.sees(time.Second, queued(0, 8, 2))
		if got := f.sees(delay, queued(0, 6, 0).stale()); got.Finishing != 0 {
			t.Errorf("%d are finishing: %+v", got.Finishing, got.Notes)
		}
	})
}

// Decide remembers in what it returns, and nowhere else.
func TestDecideChangesNothing(t *testing.T) {
	f := newFleet(scale(0, 10), 0)
	f.sees(0, queued(7, 2, 0))
	f.sees(time.Second, queued(3, 2, 1))
	in := f.in
	in.Now, in.Queue = in.Now.Add(time.Second), queued(1, 3, 2)
	first := Decide(in)
	in.Queue = queued(9, 9, 9)
	Decide(in)
	in.Queue = queued(1, 3, 2)
	if diff := cmp.Diff(first, Decide(in), cmp.AllowUnexported(Memory{}, window{}, peak{})); diff != "" {
		t.Errorf("the same question, another answer (-first +second):\n%s", diff)
	}
}

func TestChanges(t *testing.T) {
	cases := map[string]struct {
		scale      Scale
		last, next Queue
		want       bool
	}{
		"the same":                       {scale(0, 10), queued(3, 1, 0), queued(3, 1, 0), false},
		"a message that is taken":        {scale(0, 10), queued(3, 1, 0), queued(2, 2, 0), false},
		"one more":                       {scale(0, 10), queued(3, 1, 0), queued(4, 1, 0), true},
		"one fewer, though it must wait": {scale(0, 10), queued(3, 1, 0), queued(2, 1, 0), true},
		"one fewer, that a leaving worker has finished":       {scale(0, 10), queued(3, 1, 1), queued(3, 0, 0), false},
		"beyond the maximum":                                  {scale(0, 4), queued(4, 0, 0), queued(900, 0, 0), false},
		"from beyond the maximum":                             {scale(0, 4), queued(5, 0, 0), queued(3, 0, 0), true},
		"below the minimum":                                   {scale(3, 4), queued(0, 0, 0), queued(3, 0, 0), false},
		"a message that the same worker does":                 {scale(0, 10).each(1, 4), queued(1, 0, 0), queued(4, 0, 0), false},
		"a message that one more worker does":                 {scale(0, 10).each(1, 4), queued(4, 0, 0), queued(5, 0, 0), true},
		"the first":                                           {scale(0, 10), Queue{}, queued(0, 0, 0), true},
		"the first after a failure":                           {scale(0, 10), queued(3, 1, 0).stale(), queued(3, 1, 0), true},
		"more, where what is in flight is not known":          {scale(0, 10), Queue{Waiting: Counted(3)}, Queue{Waiting: Counted(6)}, true},
		"one, where none is known and one may be in flight":   {scale(0, 10), Queue{Waiting: Counted(0)}, Queue{Waiting: Counted(1)}, true},
		"fewer, where what is in flight is not known":         {scale(0, 10), Queue{Waiting: Counted(3)}, Queue{Waiting: Counted(1)}, false},
		"what is in flight is known at last, and asks for it": {scale(0, 10), Queue{Waiting: Counted(3)}, queued(3, 2, 0), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(c.scale, 0)
			f.sees(0, c.last)
			if got := f.in.Changes(c.next); got != c.want {
				t.Errorf("Changes(%+v) after %+v = %t, want %t", c.next, c.last, got, c.want)
			}
		})
	}
}

// A fleet that has been paused since the process began has decided nothing yet: what it had before is no reason not to
// tell it of a fall.
func TestChangesBeforeTheFirstDecision(t *testing.T) {
	in := Input{Now: t0, Scale: scale(0, 10), Queue: queued(3, 0, 0), Before: 9}
	if !in.Changes(queued(2, 0, 0)) {
		t.Error("one message fewer changes nothing, want a change")
	}
}
