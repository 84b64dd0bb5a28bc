package sqlqueue

import (
	"net/netip"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// holders finds out which workers of a queue are busy, by what stands in the worker column: a pod's name, its host name or
// its address.
type holders struct {
	workers []broker.Worker
	// byName has the worker of each name, and shared those of a name that several have.
	byName map[string]int
	shared map[string][]int
	// rows counts the values that were added. Of the workers it has what they hold, and which may hold more.
	rows    int
	n       []int64
	unknown []bool
	// Rows of nobody, of a name and of an address that no worker is known by.
	nobody, foreignName, foreignIP bool
}

func newHolders(workers []broker.Worker) *holders {
	h := &holders{
		workers: workers, byName: make(map[string]int, 2*len(workers)), shared: map[string][]int{},
		n: make([]int64, len(workers)), unknown: make([]bool, len(workers)),
	}
	for i, w := range workers {
		for _, name := range []string{w.PodName, w.HostName, w.PodIP} {
			if name != "" {
				h.name(name, i)
			}
		}
	}
	return h
}

func (h *holders) name(name string, worker int) {
	before, taken := h.byName[name]
	switch {
	case !taken:
		h.byName[name] = worker
	case before != worker:
		h.shared[name] = append(h.shared[name], before, worker)
	}
}

// add takes a value of the worker column, nil for NULL, and in how many rows it stands.
func (h *holders) add(value []byte, n int64) {
	h.rows++
	name := string(value)
	address, isAddress := addressOf(name)
	if isAddress {
		name = address
	}
	worker, known := h.byName[name]
	switch {
	case name == "":
		h.nobody = true
	case len(h.shared[name]) > 0:
		for _, worker := range h.shared[name] {
			h.unknown[worker] = true
		}
	case known:
		h.n[worker] += n
	case isAddress:
		h.foreignIP = true
	default:
		h.foreignName = true
	}
}

// addressOf is the usual form of an address, which PostgreSQL writes with a mask behind it.
func addressOf(value string) (string, bool) {
	value = strings.TrimSuffix(strings.TrimSuffix(value, "/32"), "/128")
	address, err := netip.ParseAddr(value)
	return address.Unmap().String(), err == nil
}

// held has what each worker holds. Those are left out that may hold more than was found: incomplete is true where not all
// rows were looked at.
func (h *holders) held(incomplete bool) map[string]int64 {
	held := make(map[string]int64, len(h.workers))
	for i, w := range h.workers {
		hidden := incomplete || h.nobody || (h.foreignName && w.HostName == "") || (h.foreignIP && w.PodIP == "")
		if h.unknown[i] || (hidden && h.n[i] == 0) {
			continue
		}
		held[w.PodName] = h.n[i]
	}
	return held
}
