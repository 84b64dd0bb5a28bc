package rightsize

import (
	"maps"
	"slices"
	"time"
)

// Sample is what one container of one pod used. CPU is an average in cores, memory is in bytes.
type Sample struct {
	Pod, Container string
	Time           time.Time
	CPU, Memory    float64
}

// History is what is known of the containers of one QWorker. It is not safe for concurrent use.
type History struct {
	usages map[string]*Usage
	// windows are of the pods that exist. They are not kept over a restart: a pod then adds its peak anew,
	// as with the Vertical Pod Autoscaler.
	windows map[place]*window
	kills   ledger
}

// wrongClock is how far time must have gone back for a clock to have been wrong.
const wrongClock = time.Hour

// place is a container of a pod. The pod's name will do, QScaler never uses one twice.
type place struct{ pod, container string }

// NewHistory returns one that knows nothing.
func NewHistory() *History {
	return &History{usages: map[string]*Usage{}, windows: map[place]*window{}, kills: newLedger()}
}

// Observe takes a sample, and reports whether it was a new one. What is no newer than the last of the same
// container is not: a metrics server returns the same sample until it has the next.
func (h *History) Observe(s Sample) bool {
	if !valid(s.CPU) || !valid(s.Memory) {
		return false
	}
	at := place{s.Pod, s.Container}
	w := h.window(at)
	if behind := w.last.Sub(s.Time); behind >= 0 && behind < wrongClock {
		return false
	}
	w.last = s.Time
	h.usage(s.Container).add(s, w)
	return true
}

// Keep forgets the pods that are gone.
func (h *History) Keep(exists func(pod string) bool) {
	for at := range h.windows {
		if !exists(at.pod) {
			delete(h.windows, at)
		}
	}
}

// KeepContainers forgets the containers that are right-sized no more.
func (h *History) KeepContainers(names []string) {
	maps.DeleteFunc(h.usages, func(name string, _ *Usage) bool { return !slices.Contains(names, name) })
}

// Usage is what is known of the containers of a name.
func (h *History) Usage(container string) Usage {
	if u := h.usages[container]; u != nil {
		return *u
	}
	return *newUsage()
}

func (h *History) usage(container string) *Usage {
	u := h.usages[container]
	if u == nil {
		u = newUsage()
		h.usages[container] = u
	}
	return u
}

func (h *History) window(at place) *window {
	w := h.windows[at]
	if w == nil {
		w = &window{}
		h.windows[at] = w
	}
	return w
}

// forgetPeak takes a killed container's peak out of the usage, also the one that the metrics have yet to tell of.
func (h *History) forgetPeak(at place, killed time.Time) {
	w := h.window(at)
	w.killed = killed
	w.forget(h.usage(at.container).memory)
}

// peak is the most memory that the container of the pod was seen to use in the present interval, in bytes.
func (h *History) peak(at place) int64 {
	if w := h.windows[at]; w != nil {
		return whole(w.peak)
	}
	return 0
}
