package sizing

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// refusal is an answer that will be the same for a while: the API server's, for a LimitRange or a
// ResourceQuota, or the scheduler's, where no node has room.
type refusal struct {
	// reason and message are those of the condition.
	reason, message string
	until           time.Time
}

// blamelessFor is how long the size is not to blame for a refusal, after a pod of the template's size was refused
// as well. It is much longer than the longest pause between two tries, and begins anew with each refusal.
const blamelessFor = 5 * time.Minute

// refusalLasts is how long a refused size is not tried again.
const refusalLasts = 10 * time.Minute

func (r refusal) stands(now time.Time) bool { return now.Before(r.until) }

// newRefusal is the refusal of a new pod's size, with what can be done. It tells no time of the day: what is refused again
// is the same trouble, and so it is after a restart.
func newRefusal(reason, words string, now time.Time) refusal {
	what, remedy := "a pod of the recommended size was refused", "raise the LimitRange or the ResourceQuota, or set rightSizing.maxAllowed"
	if reason == reasonSizeUnschedulable {
		what, remedy = "no node has room for a pod of the recommended size", "use larger nodes or more of them, or set rightSizing.maxAllowed"
	}
	return refusal{
		reason: reason, until: now.Add(refusalLasts),
		message: fmt.Sprintf("%s, new pods are made as in the podSpec, and it is tried again after %.0f minutes: %s; %s", what, refusalLasts.Minutes(), words, remedy),
	}
}

// Blames reports whether the recommended size is to blame for the refusal of a new pod. Then the next pod gets the
// template's size. Where that is refused too, the size was not to blame, and the failure is like any other. A quota that
// is used up is no reason to ask for more.
//
// The words are the API server's; no words are no refusal. Created is true where another pod was created meanwhile.
func (r *Round) Blames(words string, created bool) bool {
	if !r.active {
		return false
	}
	m, now := r.memory, r.fleet.Now
	if created {
		m.blameless = time.Time{}
	}
	switch {
	case words == "":
		return false
	case m.create.reason == reasonSizeRefused && m.create.stands(now):
		m.create, m.blameless = refusal{}, now.Add(blamelessFor)
		return false
	case now.Before(m.blameless):
		m.blameless = now.Add(blamelessFor)
		return false
	case !r.fitted || !r.appliesToNew() || (!r.more && strings.Contains(words, "exceeded quota")):
		return false
	}
	m.create = newRefusal(reasonSizeRefused, words, now)
	r.recheckAt(m.create.until)
	return true
}

// restoreRefusal takes up what a process before was answered: the size is not tried again at once, and what is told of it
// stands. A spec that has changed since has another try.
func (m *Memory) restoreRefusal(conditions []metav1.Condition, now time.Time) {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionRightSizing)
	if c != nil && (c.Reason == reasonSizeRefused || c.Reason == reasonSizeUnschedulable) {
		m.generation = c.ObservedGeneration
		m.create = refusal{reason: c.Reason, message: c.Message, until: now.Add(refusalLasts)}
	}
}

// forgetRefusals gives a spec that a person has changed another try.
func (m *Memory) forgetRefusals(generation int64) {
	if m.generation != generation {
		m.generation, m.create, m.resize, m.blameless = generation, refusal{}, refusal{}, time.Time{}
		clear(m.refused)
	}
}
