package rightsize

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
)

const mi = int64(1 << 20)

func killOf(pod string, restarts int32, request int64) Kill {
	return Kill{PodUID: types.UID("uid-" + pod), Pod: pod, Container: "w", Restarts: restarts, Request: request}
}

func TestKillsRaiseTheMemory(t *testing.T) {
	type step struct {
		after  time.Duration
		kill   Kill
		result KillResult
		floor  int64 // MiB
	}
	for name, tc := range map[string]struct {
		maximum int64
		steps   []step
	}{
		"by 100 MiB where that is more": {steps: []step{{0, killOf("a", 0, 256*mi), Raised, 356}}},
		"by 20 % where that is more":    {steps: []step{{0, killOf("a", 0, 1000*mi), Raised, 1200}}},
		"once for each kill": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{0, killOf("a", 0, 256*mi), Counted, 356},
			{2 * time.Hour, killOf("a", 0, 256*mi), Counted, 356},
		}},
		"by as much for ten workers of one size as for one": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{time.Minute, killOf("b", 0, 256*mi), Answered, 356},
			{time.Minute, killOf("c", 0, 256*mi), Answered, 356},
		}},
		"twice as far when it did not help": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{30 * time.Minute, killOf("b", 0, 356*mi), Raised, 556},
		}},
		"twice as far when the same one is killed again": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{30 * time.Minute, killOf("a", 1, 256*mi), Raised, 456},
		}},
		"a single step after an hour": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{61 * time.Minute, killOf("a", 1, 356*mi), Raised, 456},
		}},
		"no further than maxAllowed": {maximum: 300 * mi, steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 300},
			{time.Minute, killOf("b", 0, 300*mi), AtMaximum, 300},
		}},
		"three times an hour, whoever is killed": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{time.Minute, killOf("b", 0, 356*mi), Raised, 556},
			{time.Minute, killOf("c", 0, 556*mi), Raised, 779},
			{time.Minute, killOf("d", 0, 779*mi), Capped, 779},
			{57 * time.Minute, killOf("e", 0, 779*mi), Raised, 1024},
		}},
		"from nothing": {steps: []step{{0, killOf("a", 0, 0), Raised, 100}}},
		"for eight days": {steps: []step{
			{0, killOf("a", 0, 256*mi), Raised, 356},
			{9 * 24 * time.Hour, killOf("a", 0, 256*mi), Counted, 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, now := NewHistory(), start
			for i, s := range tc.steps {
				now = now.Add(s.after)
				got := h.Count(s.kill, Bounds{Maximum: tc.maximum}, now)
				floor := (h.Floor("w", now) + mi - 1) / mi
				if got != s.result || floor != s.floor {
					t.Errorf("step %d: %s, %d MiB; want %s, %d MiB", i, got, floor, s.result, s.floor)
				}
			}
		})
	}
}

func TestThePeakCountsWhereItIsMoreThanTheRequest(t *testing.T) {
	h := NewHistory()
	h.Observe(Sample{Pod: "a", Container: "w", Time: start, Memory: float64(1000 * mi)})
	h.Count(killOf("a", 0, 256*mi), Bounds{}, start)
	if got := h.Floor("w", start) / mi; got != 1200 {
		t.Errorf("the floor is %d MiB, want 20 %% over the peak", got)
	}
}

// A history names few of the kills of a large fleet, and says up to when all of them were counted.
func TestManyKillsAreCountedOnce(t *testing.T) {
	h := NewHistory()
	var told []Kill
	for i := range 3 * maxMarks {
		k := killOf(fmt.Sprint(i), 0, 256*mi)
		k.FinishedAt = start.Add(time.Duration(i) * time.Second)
		told = append(told, k)
		h.Count(k, Bounds{}, start)
	}
	for range 2 {
		h.KeepKills(told, start)
		back, err := Decode(h.Encode(), start.Add(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		h = back
		for _, k := range told {
			k.Request = 356 * mi // they were raised since
			if got := h.Count(k, Bounds{}, start.Add(2*time.Hour)); got != Counted {
				t.Fatalf("the kill of pod %s is %s", k.Pod, got)
			}
		}
	}
	fresh := killOf("fresh", 0, 356*mi)
	fresh.FinishedAt = start.Add(time.Hour)
	if got := h.Count(fresh, Bounds{}, start.Add(2*time.Hour)); got != Raised {
		t.Errorf("a new kill is %s", got)
	}
}

func TestAKeptLimitIsNotRaised(t *testing.T) {
	h := NewHistory()
	kill := killOf("a", 0, 256*mi)
	kill.Limit = 256 * mi
	if got := h.Count(kill, Bounds{LimitsKept: true}, start); got != AtLimit || len(h.Troubles()) != 1 || h.Floor("w", start) != 0 {
		t.Errorf("%s, %v, floor %d; want it told and nothing raised", got, h.Troubles(), h.Floor("w", start))
	}
	kill.Restarts, kill.Request = 1, 128*mi // killed by its node
	if got := h.Count(kill, Bounds{LimitsKept: true}, start); got != Raised {
		t.Errorf("below its limit: %s", got)
	}
}

func TestWhoUsedTheMaximumOfAnotherRequestIsRaisedToIt(t *testing.T) {
	h := NewHistory()
	h.Observe(Sample{Pod: "a", Container: "w", Time: start, Memory: float64(520 * mi)}) // below its limit
	for i, want := range []KillResult{Raised, AtMaximum} {
		k := killOf("a", int32(i), []int64{300, 512}[i]*mi)
		if got := h.Count(k, Bounds{Maximum: 512 * mi}, start); got != want || h.Floor("w", start) != 512*mi {
			t.Errorf("kill %d: %s, %d MiB; want %s, 512 MiB", i, got, h.Floor("w", start)/mi, want)
		}
	}
}

func TestTroublesNameThePods(t *testing.T) {
	h := NewHistory()
	request := 256 * mi
	for i := range 5 {
		h.Count(killOf(fmt.Sprint(i), 0, request), Bounds{}, start)
		request = h.Floor("w", start)
	}
	want := []Trouble{{"3", Capped, start}, {"4", Capped, start}}
	for _, history := range []*History{h, restarted(t, h)} {
		if diff := cmp.Diff(want, history.Troubles()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		history.KeepKills(nil, start.Add(time.Hour))
		if got := history.Troubles(); len(got) != 0 {
			t.Errorf("after an hour: %v", got)
		}
	}
}

// restarted is a history as the next process reads it.
func restarted(t *testing.T, h *History) *History {
	t.Helper()
	back, err := Decode(h.Encode(), start)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestOnlyTheLatestTroublesAreKept(t *testing.T) {
	h := NewHistory()
	for i := range 3 * maxTroubles {
		h.Count(killOf(fmt.Sprint(i), 0, 256*mi), Bounds{Maximum: 256 * mi}, start.Add(time.Duration(i)*time.Second))
	}
	all := h.Troubles()
	if diff := cmp.Diff(all[2*maxTroubles:], restarted(t, h).Troubles()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A container that is killed again within the hour gets twice as much also from an operator that did not see the first
// kill happen, and only reads of it.
func TestARepetitionIsKnownAfterARestart(t *testing.T) {
	first, second := killOf("a", 0, 256*mi), killOf("a", 1, 256*mi)
	first.FinishedAt, second.FinishedAt = start, start.Add(30*time.Minute)
	h := NewHistory()
	h.Count(first, Bounds{}, first.FinishedAt)
	h = restarted(t, h)
	var got []KillResult
	for _, k := range []Kill{first, second} {
		got = append(got, h.Count(k, Bounds{}, second.FinishedAt))
	}
	if diff := cmp.Diff([]KillResult{Counted, Raised}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if floor := h.Floor("w", second.FinishedAt) / mi; floor != 456 {
		t.Errorf("the floor is %d MiB, want twice the step", floor)
	}
}

// A task that kills whichever worker takes it, a hundred times in a row, within one hour.
func TestPoisonTaskDoesNotReachTheMaximum(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		h := NewHistory()
		request := rapid.Int64Range(1, 8192).Draw(t, "request") * mi
		first := request
		for i := range 100 {
			now := start.Add(time.Duration(i) * 30 * time.Second)
			h.Count(killOf(fmt.Sprint(i), 0, request), Bounds{}, now)
			request = max(request, h.Floor("w", now))
		}
		if most := first*28/10 + 500*mi; request > most {
			t.Fatalf("from %d MiB to %d MiB, want %d at most", first/mi, request/mi, most/mi)
		}
	})
}

// A kill says that memory is wanted: at a maximum that has become smaller, too, it takes none away.
func TestAKillNeverLowersTheMemory(t *testing.T) {
	h := NewHistory()
	h.Count(killOf("a", 0, 500*mi), Bounds{Maximum: 1000 * mi}, start)
	if got := h.Count(killOf("b", 0, 600*mi), Bounds{Maximum: 550 * mi}, start.Add(time.Hour)); got != AtMaximum {
		t.Errorf("the result is %s", got)
	}
	if floor := h.Floor("w", start.Add(time.Hour)) / mi; floor != 600 {
		t.Errorf("the floor is %d MiB, want 600", floor)
	}
}

// A task that is tried again for a week kills a worker at every chance, and uses all that it is given. The growth
// ends at 4 times what the workers have without it, and what it uses until it is killed is nobody's usage.
func TestLastingPoisonEndsAtFourTimes(t *testing.T) {
	h := NewHistory()
	bounds := Bounds{Template: 4096 * mi}
	request, last := 4096*mi, Raised
	for minute := range 7 * 24 * 60 {
		now := start.Add(time.Duration(minute) * time.Minute)
		pod := fmt.Sprint(minute / 10)
		h.Observe(Sample{Pod: pod, Container: "w", Time: now, CPU: 0.1, Memory: float64(request)})
		if minute%10 != 9 {
			continue
		}
		k := killOf(pod, 0, request)
		k.FinishedAt = now
		last = h.Count(k, bounds, now)
		h.Observe(Sample{Pod: pod, Container: "w", Time: now.Add(-time.Second), Memory: float64(request)}) // it is told late
		h.KeepKills([]Kill{k}, now)
		request = h.Recommend("w", Policy{}, needs(list("memory", "4Gi"), nil), nil, now).Requests.Memory().Value()
		if minute%(24*60) == 12*60-1 { // the operator is started anew each day
			back, err := Decode(h.Encode(), now)
			if err != nil {
				t.Fatal(err)
			}
			h = back
		}
	}
	if request != 4*4096*mi || last != Outgrown {
		t.Errorf("after a week: %d MiB, the last kill is %s; want %d MiB, %s", request/mi, last, 4*4096, Outgrown)
	}
	if troubles := h.Troubles(); len(troubles) == 0 || troubles[0].Result != Outgrown {
		t.Errorf("the troubles are %v, want the pods", troubles)
	}
}

func terminated(reason string, code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code}}
}

func TestKillsAreReadFromTheStatus(t *testing.T) {
	memory := func(q string) corev1.ResourceList { return corev1.ResourceList{"memory": resource.MustParse(q)} }
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "dead", Resources: corev1.ResourceRequirements{Limits: memory("64Mi")}},
			{Name: "back", Resources: corev1.ResourceRequirements{Requests: memory("512Mi")}},
			{Name: "signal"}, {Name: "fine"},
		}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "dead", RestartCount: 2, State: terminated("OOMKilled", 137)},
			{Name: "back", RestartCount: 5, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, LastTerminationState: terminated("OOMKilled", 1), Resources: &corev1.ResourceRequirements{Requests: memory("256Mi")}},
			{Name: "signal", State: terminated("Error", 137)},
			{Name: "fine"},
		}},
	}
	want := []Kill{
		{PodUID: "u", Pod: "p", Container: "dead", Restarts: 2, Request: 64 * mi, Limit: 64 * mi},
		{PodUID: "u", Pod: "p", Container: "back", Restarts: 4, Request: 256 * mi},
	}
	if diff := cmp.Diff(want, Kills(pod)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A kill is one kill, however the status tells of it: as a kubelet was seen to do with a container that was
// killed twice.
func TestAKillIsCountedOnce(t *testing.T) {
	oom := terminated("OOMKilled", 137)
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	h, kills := NewHistory(), 0
	for _, s := range []corev1.ContainerStatus{
		{RestartCount: 0, State: running},
		{RestartCount: 0, State: oom},
		{RestartCount: 0, State: waiting, LastTerminationState: oom},
		{RestartCount: 1, State: running, LastTerminationState: oom},
		{RestartCount: 1, State: oom, LastTerminationState: oom},
		{RestartCount: 1, State: waiting, LastTerminationState: oom},
		{RestartCount: 2, State: running, LastTerminationState: oom},
	} {
		s.Name = "w"
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "u"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}}}
		told := Kills(pod)
		for _, k := range told {
			if h.Count(k, Bounds{}, start) != Counted {
				kills++
			}
		}
		h.KeepKills(told, start)
		back, err := Decode(h.Encode(), start) // and over a restart of the operator
		if err != nil {
			t.Fatal(err)
		}
		h = back
	}
	if kills != 2 {
		t.Errorf("%d kills were counted, want 2", kills)
	}
}
