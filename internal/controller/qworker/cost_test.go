package qworker_test

import (
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/apicalls"
	"github.com/quickube/qscaler/internal/operator"
)

// bill counts the operator's requests to the API server by method and resource, without its lease, events (which are
// best effort, and not waited for) and without watches.
type bill struct {
	mu      sync.Mutex
	calls   map[string]int
	dryRuns atomic.Int32
}

func (b *bill) wrap(next http.RoundTripper) http.RoundTripper {
	return apicalls.RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		b.note(r)
		return next.RoundTrip(r)
	})
}

func (b *bill) note(r *http.Request) {
	_, path, namespaced := strings.Cut(r.URL.Path, "/namespaces/")
	if !namespaced || r.URL.Query().Get("watch") != "" {
		return
	}
	parts := strings.Split(path, "/") // namespace, resource, name, subresource
	if len(parts) < 2 || parts[1] == "events" || parts[1] == "leases" {
		return
	}
	if r.URL.Query().Has("dryRun") { // one for each revision, until a pod of it is there
		b.dryRuns.Add(1)
		return
	}
	name := r.Method + " " + parts[1]
	if len(parts) > 3 {
		name += "/" + parts[3]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[name]++
}

// take returns what has come together, and begins anew.
func (b *bill) take() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = map[string]int{}
	return calls
}

func (b *bill) copy() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.calls)
}

// costed is a cluster whose operator's requests are counted, and that reads a queue only when it rings.
func costed(t *testing.T) (*cluster, *bill) {
	t.Helper()
	b := &bill{calls: map[string]int{}}
	c := newAdjustedCluster(t, func(o *operator.Options) {
		o.Config.Wrap(b.wrap)
		o.SafetyInterval = time.Hour
		o.QueueStatusInterval = time.Hour // on a slow machine a test can take long enough for such a write
	})
	return c, b
}

// charged waits until the bill has what is wanted and then does not grow for a while.
func (c *cluster) charged(b *bill, want map[string]int) {
	c.Helper()
	c.eventually("the requests", func() string { return cmp.Diff(want, b.copy()) })
	<-time.After(quietFor)
	if diff := cmp.Diff(want, b.take()); diff != "" {
		c.Errorf("requests (-want +got):\n%s\n%s", diff, c.picture())
	}
}

// awaitRead waits for a QWorker's first status.
func (c *cluster) awaitRead(worker string) {
	c.Helper()
	c.eventually("the first status of "+worker, func() string {
		if c.status(worker).Queue == nil {
			return "the queue has not been read"
		}
		return ""
	})
}

// quiet waits until nothing more is put on the bill, and begins a new one.
func (c *cluster) quiet(b *bill) {
	c.Helper()
	before := map[string]int{}
	c.eventually("the operator to come to rest", func() string {
		<-time.After(quietFor)
		last := before
		before = b.copy()
		return cmp.Diff(last, before)
	})
	b.take()
}

// quietFor is for how long nothing must come to be sure that nothing does.
const quietFor = 300 * time.Millisecond

// What each turn of a fleet's life costs, in requests to the API server: these are exact, because each of them
// is paid ten thousand times by an operator of ten thousand QWorkers.
func TestWhatAFleetCosts(t *testing.T) {
	c, b := costed(t)
	c.create(c.scalerConfig("config"), makeQWorker("first"))
	c.awaitRead("first") // before, an operator that is slow to start would look at rest
	c.quiet(b)           // the first has the operator make sure that its cache is current

	q := makeQWorker("fleet").replicas(0, 10)
	c.create(q)
	// A new QWorker with nothing to do: its revision, and one status that says everything.
	c.charged(b, map[string]int{"POST controllerrevisions": 1, "PATCH qworkers/status": 1})

	c.do("LPUSH", q.queueName(), "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	pods := c.awaitPods("fleet", 10)
	// A burst: the finalizer, ten pods, and a status; nobody is looked up.
	c.charged(b, map[string]int{"PATCH qworkers": 1, "POST pods": 10, "PATCH qworkers/status": 1})

	for _, p := range pods {
		c.hold(q.queueName(), p.Name)
	}
	<-time.After(quietFor)
	// Ten workers take their tasks: desired stays, and nothing is written.
	if diff := cmp.Diff(map[string]int{}, b.take()); diff != "" {
		t.Errorf("requests while tasks are taken (-want +got):\n%s", diff)
	}
}

// A new leader finds everything as it should be, and writes nothing.
func TestAStartThatHasNothingToSayWritesNothing(t *testing.T) {
	c, b := costed(t)
	q := makeQWorker("fleet").replicas(0, 10)
	c.create(c.scalerConfig("config"), q)
	c.awaitRead("fleet")
	c.stop()
	b.take()
	c.startOperator()
	c.push(q.queueName(), 1)
	c.awaitPods("fleet", 1)
	calls := b.take()
	if n := calls["PATCH qworkers/status"]; n > 1 {
		t.Errorf("the status was written %d times for one pod and no news but that", n)
	}
	delete(calls, "PATCH qworkers/status") // the pod's own
	if diff := cmp.Diff(map[string]int{"PATCH qworkers": 1, "POST pods": 1}, writes(calls)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func writes(calls map[string]int) map[string]int {
	w := maps.Clone(calls)
	maps.DeleteFunc(w, func(name string, _ int) bool { return strings.HasPrefix(name, http.MethodGet) })
	return w
}

// A thousand messages that ask for no other number of workers cost no request at all, and one reading of the
// queue for each ring, however many messages there are.
func TestMessagesCostTheAPIServerNothing(t *testing.T) {
	c, b := costed(t)
	q := makeQWorker("fleet").replicas(0, 1)
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	c.awaitPods("fleet", 1)
	c.quiet(b)
	read := c.callsOf("llen")
	const batches = 20
	for range batches {
		c.push(q.queueName(), 50)
	}
	<-time.After(quietFor)
	if diff := cmp.Diff(map[string]int{}, b.take()); diff != "" {
		t.Errorf("requests for 1000 messages (-want +got):\n%s", diff)
	}
	const lists = 2 // the queue and the worker's own
	if n := c.callsOf("llen") - read; n > 1000*lists {
		t.Errorf("%d lists were read for 1000 pushes, want at most one reading for each", n)
	}
}

// callsOf is how often Redis was sent a command, by its own account.
func (c *cluster) callsOf(command string) int {
	c.Helper()
	text, err := c.do("INFO", "commandstats").ToString()
	if err != nil {
		c.Fatal(err)
	}
	calls := 0
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			if _, err := fmt.Sscanf(rest, "%d,", &calls); err != nil {
				c.Fatal(err)
			}
		}
	}
	return calls
}

// QWorkers come and go, and leave neither a goroutine nor a connection behind.
func TestQWorkersLeaveNothingBehind(t *testing.T) {
	c, _ := costed(t)
	c.create(c.scalerConfig("config"))
	round := func(n int) {
		for i := range 20 {
			q := makeQWorker(fmt.Sprintf("fleet-%d-%d", n, i)).replicas(0, 1)
			c.create(q)
			c.eventually("the queue to be read", func() string {
				if c.status(q.Name).Queue == nil {
					return "it has not been"
				}
				return ""
			})
			if err := c.Delete(c.Context(), q.QWorker); err != nil {
				t.Fatal(err)
			}
		}
	}
	round(0)
	connections, goroutines := c.connections(), runtime.NumGoroutine()
	for n := 1; n <= 3; n++ {
		round(n)
	}
	c.eventually("the connections", func() string {
		if now := c.connections(); now > connections {
			return fmt.Sprintf("there are %d and were %d", now, connections)
		}
		return ""
	})
	// The HTTP client's own come and go; sixty QWorkers that left one each would be seen.
	const some = 20
	c.eventually("the goroutines", func() string {
		if now := runtime.NumGoroutine(); now > goroutines+some {
			return fmt.Sprintf("there are %d and were %d", now, goroutines)
		}
		return ""
	})
}

func (c *cluster) connections() int {
	c.Helper()
	text, err := c.do("CLIENT", "LIST").ToString()
	if err != nil {
		c.Fatal(err)
	}
	return strings.Count(text, "name=qscaler ")
}
