package operator

import "github.com/prometheus/client_golang/prometheus"

// registrations remembers what was registered, so that an operator that starts over can register it again.
type registrations struct {
	prometheus.Registerer

	made []prometheus.Collector
}

// MustRegister is prometheus.Registerer's.
func (r *registrations) MustRegister(collectors ...prometheus.Collector) {
	r.Registerer.MustRegister(collectors...)
	r.made = append(r.made, collectors...)
}

func (r *registrations) undo() {
	for _, c := range r.made {
		r.Unregister(c)
	}
}
