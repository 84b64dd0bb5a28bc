package recovery

import "testing"

// at is a worker with an address.
func at(ip string, w Worker) Worker {
	w.HostName, w.PodIP = "host-of-"+w.Name, ip
	return w
}

// A worker is known as it was last seen, but for an address that another has by now.
func TestHowDeadWorkersAreKnown(t *testing.T) {
	w := newWorld(t)
	a, b, c, d := alive("a")[0], alive("b")[0], alive("c")[0], alive("d")[0]
	known := func(worker string, state State, ip string) Dead {
		dead := dead(worker, state)
		dead.HostName, dead.PodIP = "host-of-"+worker, ip
		return dead
	}
	w.look(at("", a), at("10.0.0.2", b))
	w.look(at("10.0.0.1", a), at("10.0.0.2", b))
	b.Ended = true
	w.snapshotIs(w.look(at("10.0.0.2", b)), Snapshot{Vanished: 1, Dead: []Dead{known("a", Gone, "10.0.0.1"), known("b", Ended, "10.0.0.2")}})

	c.Ended = true // one that has ended has no address any more that it could have taken
	w.snapshotIs(w.look(at("10.0.0.1", c)), Snapshot{Vanished: 1, Dead: []Dead{
		known("a", Gone, "10.0.0.1"), known("b", Gone, "10.0.0.2"), known("c", Ended, "10.0.0.1"),
	}})
	w.snapshotIs(w.look(at("10.0.0.1", c), at("10.0.0.2", d)), Snapshot{Dead: []Dead{
		known("a", Gone, "10.0.0.1"), known("b", Gone, ""), known("c", Ended, "10.0.0.1"),
	}})
	w.snapshotIs(w.look(at("10.0.0.1", c)), Snapshot{Vanished: 1, Dead: []Dead{
		known("a", Gone, "10.0.0.1"), known("b", Gone, ""), known("c", Ended, "10.0.0.1"), known("d", Gone, "10.0.0.2"),
	}})
}

// Pods that come and vanish between two looks are known as well.
func TestHowAWorkerIsKnownThatWasNoted(t *testing.T) {
	w := newWorld(t)
	w.look()
	w.note(ours, []Worker{at("10.0.0.1", alive("a")[0])})
	want := dead("a", Gone)
	want.HostName, want.PodIP = "host-of-a", "10.0.0.1"
	w.snapshotIs(w.look(), Snapshot{Vanished: 1, Dead: []Dead{want}})
}
