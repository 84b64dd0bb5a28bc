package report

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// now is when the tests take place.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ago is a time before now.
func ago(d time.Duration) time.Time { return now.Add(-d) }

// worker is a running and ready pod of the revision r1.
func worker(name string, change ...func(*Pod)) Pod {
	p := Pod{Pod: planner.Pod{Name: name, Revision: "r1", Phase: planner.Running, Ready: true}}
	for _, f := range change {
		f(&p)
	}
	return p
}

func of(revision string) func(*Pod) { return func(p *Pod) { p.Revision = revision } }

func in(phase planner.Phase) func(*Pod) {
	return func(p *Pod) { p.Phase, p.Ready = phase, false }
}

func unready(p *Pod) { p.Ready = false }

func granted(reason contract.Reason, since time.Time) func(*Pod) {
	return func(p *Pod) { p.Grant = planner.Grant{Reason: reason, Since: since} }
}

func at(work planner.Work) func(*Pod) { return func(p *Pod) { p.Work = work } }

// troubled is a pod whose worker does not run, and why.
func troubled(words string) func(*Pod) {
	return func(p *Pod) { p.Phase, p.Ready, p.Trouble = planner.Pending, false, words }
}

// since is a worker that has been ready for so long, and is to be so for longer to count.
func since(ready, after time.Duration) func(*Pod) {
	return func(p *Pod) { p.ReadyChanged, p.SteadyAfter = ago(ready), after }
}

// crashed is a pod whose worker has crashed and runs again.
func crashed(words string) func(*Pod) {
	return func(p *Pod) { p.Trouble, p.Failing = words, true }
}

func isTrue(kind, reason, message string) metav1.Condition  { return Is(kind, true, reason, message) }
func isFalse(kind, reason, message string) metav1.Condition { return Is(kind, false, reason, message) }
