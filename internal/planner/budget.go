package planner

import "time"

// Rollout is how a new revision takes over.
type Rollout struct {
	// Surge is how many pods there may be beyond desired while pods are replaced, those with a grant apart.
	Surge Amount
	// Unavailable is how many available pods there may be fewer than desired meanwhile.
	Unavailable Amount
	// MinReady is how long a pod of the newest revision must have been ready to be available.
	MinReady time.Duration
	// Deadline is how long a pod of the newest revision may take to become available.
	Deadline time.Duration
	// Paused stops the rollout where it is.
	Paused bool
}

// Amount is a number of pods, or a percentage of the desired ones.
type Amount struct {
	N       int
	Percent bool
}

// Pods is an Amount of n pods.
func Pods(n int) Amount { return Amount{N: n} }

// Percent is an Amount of n percent of the desired pods.
func Percent(n int) Amount { return Amount{N: n, Percent: true} }

// mostPods bounds an amount: no QWorker may ask for more workers.
const mostPods = 100_000

// of is the amount for so many desired pods; a percentage is rounded up or down.
func (a Amount) of(desired int, up bool) int {
	if !a.Percent {
		return min(a.N, mostPods)
	}
	rounding := 0
	if up {
		rounding = 99
	}
	return min((desired*a.N+rounding)/100, mostPods)
}

// budget is the surge and the unavailability in pods, rounded as a Deployment's are: the first up, the second
// down. Where both come to 0 one pod may be unavailable, else none could ever be replaced.
func (f Fleet) budget() (surge, unavailable int) {
	surge = f.Rollout.Surge.of(f.Desired, true)
	unavailable = min(f.Rollout.Unavailable.of(f.Desired, false), f.Desired)
	if surge == 0 && unavailable == 0 {
		unavailable = min(1, f.Desired)
	}
	return surge, unavailable
}
