package demo

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// candidate is a worker from which a Deployment chooses when it scales down.
type candidate struct {
	name string
	uid  types.UID
	// ready is when it became ready; zero while it is not.
	ready time.Time
}

// deploymentTakes is the pod that a Deployment would take away now: one that is not ready, else one of the newest, whatever
// it does. Those whose ages are alike, by the logarithm, are taken in the order of their UIDs. So its ReplicaSet chooses
// among pods of one node without a deletion cost.
func deploymentTakes(candidates []candidate, now time.Time) string {
	if len(candidates) == 0 {
		return ""
	}
	first := slices.MinFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(ageRank(a, now), ageRank(b, now)), cmp.Compare(a.uid, b.uid))
	})
	return first.name
}

// ageRank is the logarithm of how long a worker has been ready, in nanoseconds.
func ageRank(c candidate, now time.Time) int {
	age := now.Sub(c.ready)
	if c.ready.IsZero() || age <= 0 {
		return -1
	}
	return bits.Len64(uint64(age)) - 1
}

func readySince(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// taken is a worker that a Deployment would have taken away when QScaler gave a grant.
type taken struct {
	pod  string
	at   time.Time
	told bool
}

// takeAsDeployment notes which worker a Deployment would take away now. Whom it has taken it cannot take again.
func (w *world) takeAsDeployment(now time.Time) {
	var candidates []candidate
	for name, known := range w.workers {
		already := slices.ContainsFunc(w.taken, func(t *taken) bool { return t.pod == name })
		if known.gone.IsZero() && !already {
			candidates = append(candidates, candidate{name, known.pod.UID, readySince(&known.pod)})
		}
	}
	if pod := deploymentTakes(candidates, now); pod != "" {
		w.taken = append(w.taken, &taken{pod: pod, at: now})
	}
}

// stopped are the tasks in whose middle a Deployment would have stopped a worker, by the logs.
func (w *world) stopped() []string {
	var tasks []string
	for _, t := range w.taken {
		if task := w.books.TaskAt(t.pod, t.at); task != "" {
			tasks = append(tasks, task)
		}
	}
	return tasks
}
