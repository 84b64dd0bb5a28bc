package podconfig

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// withObjects is a schedule of so many objects in each of the namespaces.
func withObjects(counts map[string]int) *schedule {
	s := newSchedule(Interval)
	for in, count := range counts {
		for n := range count {
			s.add(objectOf(in, n))
		}
	}
	return s
}

func objectOf(in string, n int) *watched {
	return &watched{name: name{in, Object{ConfigMap, fmt.Sprint("o", n)}}}
}

// What is asked for by one tenant, however much it is, costs the others nothing: neither the choice of what is read next nor
// asking for one object more looks at all of them.
func TestTheCostOfManyObjects(t *testing.T) {
	s := withObjects(map[string]int{"large": 10_000, "small": 1})
	compared := 0
	counted := func(before func(a, b *watched) bool) func(a, b *watched) bool {
		return func(a, b *watched) bool {
			compared++
			return before(a, b)
		}
	}
	for _, n := range s.namespaces {
		n.objects.before = counted(n.objects.before)
	}
	const rounds, each = 1000, 100 // four changes of a heap of 10,000, which is 14 deep
	now, read := began, map[string]int{}
	for range rounds {
		next, at := s.next(now)
		if now = at; next == nil {
			t.Fatal("nothing is read next")
		}
		s.begin(next, now)
		s.postpone(next, now.Add(Interval))
		read[next.namespace]++
		added := objectOf("large", -1)
		s.add(added)
		s.remove(added)
	}
	if compared > rounds*each {
		t.Errorf("%d objects were compared in %d rounds, want %d at most in each", compared, rounds, each)
	}
	if read["small"] < 8 { // 1000 reads of the large namespace take 500 s
		t.Errorf("read were %v, want the small namespace's object once a minute", read)
	}
}

// scan is the choice of the schedule, made by looking at all objects.
func scan(objects map[*watched]bool, read map[string]time.Time, now time.Time) (at time.Time, last time.Time, due time.Time) {
	first := true
	for object := range objects {
		from, l := object.due, read[object.namespace]
		if paced := l.Add(apartInNamespace); !l.IsZero() && paced.After(from) {
			from = paced
		}
		if from.Before(now) {
			from = now
		}
		if order := cmp.Or(from.Compare(at), l.Compare(last), object.due.Compare(due)); first || order < 0 {
			at, last, due, first = from, l, object.due, false
		}
	}
	return at, last, due
}

// After any changes, the schedule chooses as somebody does who looks at all objects.
func TestTheScheduleChoosesLikeAScan(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		s, now := newSchedule(Interval), began
		objects, read := map[*watched]bool{}, map[string]time.Time{}
		for step := range 400 {
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			for in, last := range read {
				if now.Sub(last) >= Interval {
					delete(read, in)
				}
			}
			switch next, at := s.next(now); {
			case random.IntN(3) == 0 || len(objects) == 0:
				object := objectOf(fmt.Sprint(random.IntN(5)), step)
				objects[object] = true
				s.add(object)
			case random.IntN(4) == 0:
				for object := range objects {
					delete(objects, object)
					s.remove(object)
					break
				}
			case next == nil: // something is to be forgotten first
				if wantAt, _, _ := scan(objects, read, now); !at.After(now) || !at.Before(wantAt) {
					t.Fatalf("seed %d: at step %d nothing is next until %s, want something at %s", seed, step, at, wantAt)
				}
			default:
				wantAt, wantLast, wantDue := scan(objects, read, now)
				if !at.Equal(wantAt) || (at.Equal(now) && (!read[next.namespace].Equal(wantLast) || !next.due.Equal(wantDue))) {
					t.Fatalf("seed %d: at step %d, %s of the namespace %s is next at %s, want one that is due since %s at %s", seed, step, next.Name, next.namespace, at, wantDue, wantAt)
				}
				if at.After(now) {
					continue
				}
				s.begin(next, now)
				read[next.namespace] = now
				s.postpone(next, now.Add(Interval))
			}
		}
		for object := range objects {
			s.remove(object)
		}
		if _, at := s.next(now.Add(2 * Interval)); !at.IsZero() || len(s.namespaces) > 0 {
			t.Fatalf("seed %d: %d namespaces are remembered in the end", seed, len(s.namespaces))
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, now := withObjects(map[string]int{"large": n}), began
			for b.Loop() {
				next, at := s.next(now)
				now = at
				s.begin(next, now)
				s.postpone(next, now.Add(Interval))
			}
		})
	}
}
