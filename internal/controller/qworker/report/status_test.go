package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

func TestStatus(t *testing.T) {
	written := &v1alpha1.QWorkerStatus{ObservedGeneration: 1, CurrentPodSpecHash: "r1", DesiredReplicas: 9}
	begun := written.DeepCopy()
	begun.Recommendations = []v1alpha1.ContainerRecommendation{{Name: "worker"}}
	told := Status(now, written, begun, Observed{
		Generation: 2,
		Pods: []Pod{
			worker("a", of("r2")), worker("b", of("r2"), unready), worker("c", granted(contract.ReasonRollout, ago(time.Minute))),
			worker("d", in(planner.Terminating)), worker("e", in(planner.Left)), worker("f", in(planner.Pending), of("r3")),
		},
		Queue:       Queue{Known: true, Waiting: 3, InFlight: ptr.To[int64](2), ReadAt: ago(1500 * time.Millisecond)},
		RightSizing: isTrue(v1alpha1.ConditionRightSizing, "RightSized", "right"),
	}, Decided{
		Asked: 5, Why: "the queue asks for 5", Desired: 2, Rollout: Rollout{Newest: "r2", Publish: "r2", Stage: planner.Canary, Proven: true},
	}, Done{}, Memory{Departure: ago(time.Hour)})

	condition := func(c metav1.Condition) metav1.Condition {
		c.ObservedGeneration, c.LastTransitionTime = 2, metav1.NewTime(now)
		return c
	}
	want := Told{
		Status: v1alpha1.QWorkerStatus{
			ObservedGeneration: 2, CurrentPodSpecHash: "r2",
			DesiredReplicas: 2, CurrentReplicas: 2, Replicas: 4, UpdatedReplicas: 2, ReadyReplicas: 2, DrainingReplicas: 1, TerminatingReplicas: 1,
			LastDepartureTime: ptr.To(metav1.NewTime(ago(time.Hour))),
			Recommendations:   begun.Recommendations,
			Summary:           &v1alpha1.SummaryStatus{Reason: ReasonScalingUp, Message: "1 of 2 workers is ready"},
			Decision:          &v1alpha1.DecisionStatus{Asked: 5, Why: "the queue asks for 5"},
			Queue:             &v1alpha1.QueueStatus{Waiting: 3, InFlight: ptr.To[int64](2), ReadTime: metav1.NewTime(ago(2 * time.Second))},
			Conditions: []metav1.Condition{
				condition(isFalse("Ready", ReasonScalingUp, "1 of 2 workers is ready")),
				condition(isTrue("BrokerReachable", ReasonReadSucceeded, "the depth of the queue is current")),
				condition(isTrue("Progressing", ReasonRollingOut, "revision r2 takes over; 2 pods of older revisions are still there: c, f")),
				condition(isTrue("Draining", ReasonWaiting, "1 worker leaves after its task: c; since 2026-01-02T03:03:05Z (Rollout)")),
				condition(isFalse("ScalingLimited", ReasonWithinRange, "the queue asks for a number of workers from minReplicas to maxReplicas")),
				condition(isTrue("RightSizing", "RightSized", "right")),
				condition(isTrue("Reconciling", ReasonScalingUp, "1 of 2 workers is ready")),
			},
		},
		Memory: Memory{Departure: ago(time.Hour), QueueWritten: now},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(begun.Conditions)+len(written.Conditions) > 0 || begun.CurrentPodSpecHash != "r1" {
		t.Errorf("the statuses that came in have changed: %+v, %+v", written, begun)
	}
}

func TestStatusOfWhatIsBeingDeletedWantsNobody(t *testing.T) {
	st := &v1alpha1.QWorkerStatus{DesiredReplicas: 3}
	if got := Status(now, st, st, Observed{Deleting: true}, Decided{Desired: 3}, Done{}, Memory{}).Status.DesiredReplicas; got != 0 {
		t.Errorf("%d workers are desired", got)
	}
}

// A condition that stays keeps its time, one that is not to be there is taken away, and one in too many words is cut.
func TestStatusKeepsWhatStays(t *testing.T) {
	early := metav1.NewTime(ago(time.Hour))
	written := &v1alpha1.QWorkerStatus{Conditions: []metav1.Condition{
		{Type: "Ready", Status: metav1.ConditionFalse, Reason: ReasonWriteFailed, Message: "x", LastTransitionTime: early},
		{Type: "RightSizing", Status: metav1.ConditionTrue, Reason: "RightSized", LastTransitionTime: early},
	}}
	for length, want := range map[int]int{maxMessage: maxMessage, maxMessage + 1: maxMessage} {
		failure := &Problem{ReasonWriteFailed, strings.Repeat("x", length)}
		st := Status(now, written, written, Observed{RightSizing: Absent("RightSizing")}, Decided{}, Done{Failure: failure}, Memory{}).Status
		c := meta.FindStatusCondition(st.Conditions, "Ready")
		if len(c.Message) != want || strings.HasSuffix(c.Message, "...") != (length > maxMessage) {
			t.Errorf("of %d bytes %d are left: %s", length, len(c.Message), c.Message)
		}
		if !c.LastTransitionTime.Equal(&early) {
			t.Errorf("the time of Ready is %s, want %s", c.LastTransitionTime, early)
		}
		if meta.FindStatusCondition(st.Conditions, "RightSizing") != nil {
			t.Error("RightSizing is still there")
		}
	}
}

func TestUnseenKeepsTheFigures(t *testing.T) {
	begun := &v1alpha1.QWorkerStatus{DesiredReplicas: 3, Replicas: 2, ObservedGeneration: 1}
	want := begun.DeepCopy()
	want.ObservedGeneration = 2
	want.Conditions = []metav1.Condition{{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: ReasonReadFailed, Message: "listing pods, no",
		ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(now),
	}}
	want.Summary = &v1alpha1.SummaryStatus{Reason: ReasonReadFailed, Message: "listing pods, no"}
	if diff := cmp.Diff(*want, Unseen(now, begun, 2, Problem{ReasonReadFailed, "listing pods, no"})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestQueueIsWrittenNowAndThen(t *testing.T) {
	const every = 10 * time.Second
	shown := &v1alpha1.QueueStatus{Waiting: 1, InFlight: ptr.To[int64](1), ReadTime: metav1.NewTime(ago(time.Minute))}
	next := &v1alpha1.QueueStatus{Waiting: 2, InFlight: ptr.To[int64](1), ReadTime: metav1.NewTime(now)}
	cases := map[string]struct {
		shown  *v1alpha1.QueueStatus
		queue  Queue
		before time.Time
		other  bool // something else is written
		want   *v1alpha1.QueueStatus
	}{
		"an unread queue is not shown":                 {nil, Queue{Waiting: 2}, time.Time{}, true, nil},
		"the first reading is shown":                   {nil, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, now, false, next},
		"the same figures keep their time":             {shown, Queue{Known: true, Waiting: 1, InFlight: ptr.To[int64](1)}, time.Time{}, true, shown},
		"other figures wait":                           {shown, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, ago(every - 1), false, shown},
		"until it is time":                             {shown, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, ago(every), false, next},
		"or something else is written with them":       {shown, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, now, true, next},
		"what is in flight counts as well":             {&v1alpha1.QueueStatus{Waiting: 2, InFlight: ptr.To[int64](2)}, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, ago(every), false, next},
		"that nobody knows what is in flight does too": {&v1alpha1.QueueStatus{Waiting: 2}, Queue{Known: true, Waiting: 2, InFlight: ptr.To[int64](1)}, ago(every), false, next},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			written := &v1alpha1.QWorkerStatus{Queue: c.shown, Decision: &v1alpha1.DecisionStatus{}}
			told := Told{Status: *written, Memory: Memory{QueueWritten: c.before}}
			if c.other {
				told.Status.Replicas = 1
			}
			c.queue.ReadAt, c.queue.WriteEvery = now, every
			told.fillFigures(now, written, c.queue, Decided{})
			if diff := cmp.Diff(c.want, told.Status.Queue); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			wantWritten := c.before
			if c.want == next {
				wantWritten = now
			}
			if diff := cmp.Diff(wantWritten, told.Memory.QueueWritten); diff != "" {
				t.Errorf("last written, -want +got:\n%s", diff)
			}
		})
	}
}

func TestDepartures(t *testing.T) {
	left := func(p *Pod) { p.Phase, p.Grant.Reason = planner.Left, contract.ReasonScaleDown }
	crashed := func(p *Pod) { p.Failure.At = ago(time.Second) }
	plain := func(pods ...Pod) []planner.Pod {
		var states []planner.Pod
		for _, p := range pods {
			states = append(states, p.Pod)
		}
		return states
	}
	hour := ago(time.Hour)
	cases := map[string]struct {
		pods []planner.Pod
		want Memory
	}{
		"a worker leaves on its grant":  {plain(worker("a", left)), Memory{Departed: map[string]bool{"a": true}, Departure: now}},
		"its pod stays for a while":     {plain(worker("old", left)), Memory{Departed: map[string]bool{"old": true}, Departure: hour}},
		"its pod is gone":               {nil, Memory{Departed: map[string]bool{}, Departure: hour}},
		"a crash is no departure":       {plain(worker("a", left, crashed)), Memory{Departed: map[string]bool{}, Departure: hour}},
		"nor is an end without a grant": {plain(worker("a", in(planner.Left))), Memory{Departed: map[string]bool{}, Departure: hour}},
		"nor is a grant":                {plain(worker("a", granted(contract.ReasonScaleDown, now))), Memory{Departed: map[string]bool{}, Departure: hour}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := Memory{Departed: map[string]bool{"old": true}, Departure: hour}
			m.NoteDepartures(c.pods, now.Add(time.Nanosecond))
			if diff := cmp.Diff(c.want, m); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for name, c := range map[string]struct{ shown, noted, want *metav1.Time }{
		"the first is shown":                 {nil, ptr.To(metav1.NewTime(now)), ptr.To(metav1.NewTime(now))},
		"a later one replaces it":            {ptr.To(metav1.NewTime(hour)), ptr.To(metav1.NewTime(now)), ptr.To(metav1.NewTime(now))},
		"an earlier one does not":            {ptr.To(metav1.NewTime(now)), ptr.To(metav1.NewTime(hour)), ptr.To(metav1.NewTime(now))},
		"what an earlier leader noted stays": {ptr.To(metav1.NewTime(hour)), nil, ptr.To(metav1.NewTime(hour))},
	} {
		t.Run(name, func(t *testing.T) {
			st := &v1alpha1.QWorkerStatus{LastDepartureTime: c.shown}
			fillDeparture(st, ptr.Deref(c.noted, metav1.Time{}).Time)
			if diff := cmp.Diff(c.want, st.LastDepartureTime); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The words that follow from the queue's figures are written as seldom as those.
func TestFiguresInWordsAreWrittenNowAndThen(t *testing.T) {
	const every = 10 * time.Second
	limited := func(reason, message string) Decided {
		return Decided{Asked: 9, Why: message, Desired: 4, Limited: Problem{reason, message}}
	}
	written := Status(ago(time.Minute), &v1alpha1.QWorkerStatus{}, &v1alpha1.QWorkerStatus{},
		Observed{Queue: Queue{Known: true, Waiting: 9, WriteEvery: every}}, limited("AtMaximum", "9 of 4"), Done{}, Memory{}).Status
	cases := map[string]struct {
		last    time.Time
		queue   Queue
		decided Decided
		want    string
	}{
		"other figures wait":                        {ago(every - 1), Queue{Known: true, Waiting: 12}, limited("AtMaximum", "12 of 4"), "9 of 4"},
		"until it is time":                          {ago(every), Queue{Known: true, Waiting: 12}, limited("AtMaximum", "12 of 4"), "12 of 4"},
		"or the decision is another one":            {ago(every - 1), Queue{Known: true, Waiting: 1}, limited("AtMinimum", "1 of 4"), "1 of 4"},
		"before the queue is read, what was stands": {time.Time{}, Queue{}, limited("AtMaximum", "not read yet"), "9 of 4"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.queue.WriteEvery = every
			st := Status(now, &written, &written, Observed{Queue: c.queue}, c.decided, Done{}, Memory{QueueWritten: c.last}).Status
			got := []string{meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionScalingLimited).Message, st.Decision.Why}
			if diff := cmp.Diff([]string{c.want, c.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Nobody knows whether a queue that was never read asks for a worker. A queue that an earlier leader has read is known.
func TestNothingIsReadyBeforeTheQueueIsRead(t *testing.T) {
	reached := []metav1.Condition{isTrue(v1alpha1.ConditionBrokerReachable, ReasonReadSucceeded, "read")}
	for name, c := range map[string]struct {
		written []metav1.Condition
		known   bool
		want    metav1.ConditionStatus
		reason  string
	}{
		"it was never read":            {nil, false, metav1.ConditionUnknown, ReasonNotReadYet},
		"an earlier leader has read":   {reached, false, metav1.ConditionTrue, ReasonIdle},
		"it was read, and it is empty": {nil, true, metav1.ConditionTrue, ReasonIdle},
	} {
		written := &v1alpha1.QWorkerStatus{Conditions: c.written}
		st := Status(now, written, written.DeepCopy(), Observed{Queue: Queue{Known: c.known}}, Decided{}, Done{}, Memory{}).Status
		ready := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionReady)
		if ready.Status != c.want || ready.Reason != c.reason || st.Summary.Reason != c.reason {
			t.Errorf("%s: Ready is %s (%s), and the summary %s; want %s (%s)", name, ready.Status, ready.Reason, st.Summary.Reason, c.want, c.reason)
		}
		if got := meta.IsStatusConditionTrue(st.Conditions, v1alpha1.ConditionReconciling); got != (c.want == metav1.ConditionUnknown) {
			t.Errorf("%s: Reconciling: %t", name, got)
		}
	}
}
