package redis

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// clusterServer is a cluster with lists. What the suite does to the server it does to the node that has the queue q.
type clusterServer struct {
	t       *testing.T
	cluster *redisservertest.Cluster

	mu    sync.Mutex
	nodes map[*redisserver.Server]*listServer
}

func (c *clusterServer) connect(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = map[*redisserver.Server]*listServer{}
	for _, s := range c.cluster.Masters {
		c.nodes[s] = &listServer{t: c.t, server: s}
		c.nodes[s].connect(password)
	}
}

// of is the node that has a queue.
func (c *clusterServer) of(queue string) *listServer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[c.cluster.Owner(redislist.Slot(queue))]
}

func (c *clusterServer) Settings() broker.Settings {
	s := c.of("q").Settings()
	s.Own = []byte(`{"cluster":true}`)
	return s
}

func (c *clusterServer) Push(queue string, n int) { c.of(queue).Push(queue, n) }
func (c *clusterServer) Take(queue string, w broker.Worker, n int) int {
	return c.of(queue).Take(queue, w, n)
}

func (c *clusterServer) Acknowledge(queue string, w broker.Worker, n int) {
	c.of(queue).Acknowledge(queue, w, n)
}
func (c *clusterServer) Pause()  { c.of("q").Pause() }
func (c *clusterServer) Resume() { c.of("q").Resume() }

// Restart waits until the node is one of the cluster again.
func (c *clusterServer) Restart() {
	node := c.of("q")
	node.Restart()
	redisservertest.Eventually(c.t, "the node is one of the cluster again", func() bool {
		info, err := node.do("CLUSTER", "INFO").ToString()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
}

func TestSuiteWithCluster(t *testing.T) {
	kind := Kind()
	parse := kind.Parse
	kind.Parse = func(s broker.Settings) (broker.Config, error) {
		s.Own = []byte(`{"cluster":true}`)
		return parse(s)
	}
	brokertest.Run(t, brokertest.Harness{
		Kind: kind, ByWorker: true, InFlight: true, Rings: true, Rounds: 1,
		Start: func(t *testing.T) brokertest.Server {
			c := &clusterServer{t: t, cluster: redisservertest.StartCluster(t, 3, false, neverDead)}
			c.connect("")
			return c
		},
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			c := s.(*clusterServer)
			for _, s := range c.cluster.Masters {
				c.nodes[s].do("CONFIG", "SET", "requirepass", password)
			}
			c.connect(password)
		},
	})
}

// inCluster is how a cluster is reached by one of its nodes.
func inCluster(s *redisserver.Server) Config { return Config{Address: s.Addr(), Cluster: true} }

// queueOf has a queue of each master.
func queueOf(c *redisservertest.Cluster) (queues []string) {
	for i := range c.Masters {
		first, last := c.Slots(i)
		for n := 0; ; n++ {
			queue := fmt.Sprintf("queue-%d", n)
			if slot := redislist.Slot(queue); first <= slot && slot <= last {
				queues = append(queues, queue)
				break
			}
		}
	}
	return queues
}

// What the API server refuses is refused here, too: an older schema may have let it in.
func TestWhatAClusterDoesNotTake(t *testing.T) {
	for name, s := range map[string]broker.Settings{
		"Sentinels":               {Host: "h", Port: 1, Own: []byte(`{"cluster":true,"sentinel":{"master":"m"}}`)},
		"a database":              {Host: "h", Port: 1, Database: 1, Own: []byte(`{"cluster":true}`)},
		"Sentinels of no master":  {Host: "h", Port: 1, Own: []byte(`{"sentinel":{}}`)},
		"what is no block at all": {Host: "h", Port: 1, Own: []byte(`{"cluster":"yes"}`)},
	} {
		if c, err := parse(s); err == nil || !strings.Contains(err.Error(), "config.redis") {
			t.Errorf("%s: %+v, %v; want the field", name, c, err)
		}
	}
	one, err := parse(broker.Settings{Host: "h", Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := parse(broker.Settings{Host: "h", Port: 1, Own: []byte(`{"cluster":true}`)})
	if err != nil || one.Equal(other) || one.(Config).Server() == other.(Config).Server() {
		t.Errorf("a cluster is taken for a server, %v", err)
	}
}

// Each queue is read from its own node, over one connection to each node, and each rings.
func TestEachNodeOfAClusterIsReadAndRings(t *testing.T) {
	c := redisservertest.StartCluster(t, 3, false, neverDead)
	queues := queueOf(c)
	b := newBell()
	d := open(t, inCluster(c.Masters[1]), b.ring)
	query := func() (queries []broker.Query) {
		for _, q := range queues {
			queries = append(queries, broker.Query{Queue: q, Workers: workers("p")})
		}
		return queries
	}
	for i, s := range c.Masters {
		do := plainClient(t, s.Addr())
		depths(t, d, query()...)
		do("RPUSH", queues[i], "1", "2")
		for rung := ""; rung != queues[i]; {
			for _, queue := range b.await(t, "a push to node "+strconv.Itoa(i)) {
				rung = queue
			}
		}
		if a := depths(t, d, query()...); a[i].Err != nil || a[i].Depth.Waiting.N != 2 {
			t.Errorf("node %d: %+v, want 2 waiting", i, a[i])
		}
		if n := connections(t, do); n != 1 {
			t.Errorf("node %d has %d connections, want 1", i, n)
		}
	}
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Error(why)
	}
}

func TestTheWrongWayToAClusterNamesTheField(t *testing.T) {
	c := redisservertest.StartCluster(t, 2, false, neverDead)
	queues := queueOf(c)
	alone := redisservertest.Start(t)
	watched := redisservertest.StartWatched(t, 0, neverDead, nil)
	noSlots := redisservertest.Start(t, "--cluster-enabled", "yes")
	for name, s := range map[string]struct {
		config Config
		reason broker.Reason
		want   string
	}{
		"a node for a server":             {Config{Address: c.Masters[0].Addr()}, broker.ReasonUnknown, "set config.redis.cluster to true"},
		"a server for a node":             {Config{Address: alone.Addr(), Cluster: true}, broker.ReasonUnknown, "remove config.redis.cluster"},
		"a Sentinel for a node":           {Config{Address: watched.Sentinels[0].Addr(), Cluster: true}, broker.ReasonUnknown, "config.redis.sentinel"},
		"a node without a cluster":        {Config{Address: noSlots.Addr(), Cluster: true}, broker.ReasonClusterDown, "no node of the cluster has any slots"},
		"a host that may not be dialled":  {Config{Address: c.Masters[0].Addr(), Cluster: true, allows: func(string) bool { return false }}, "", ""},
		"an answer that is no topology":   {Config{Address: fakeServer(t, answersTo("CLUSTER", "+no")), Cluster: true}, broker.ReasonUnknown, "in a way that Redis does not"},
		"an answer that has no end":       {Config{Address: fakeServer(t, answersTo("CLUSTER", "$99999999\r\n")), Cluster: true}, broker.ReasonUnknown, "too long"},
		"a topology of nobody who is it":  {Config{Address: fakeServer(t, answersTo("CLUSTER", "+aa 127.0.0.1:1@2 master - 0 0 1 connected 0-16383")), Cluster: true}, broker.ReasonConnectionRefused, "a node of the cluster at"},
		"a password that is not the one ": {Config{Address: c.Masters[0].Addr(), Cluster: true, Username: "nobody", Password: broker.NewSecret("wr0ng")}, broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open(t.Context(), s.config, newBell().ring)
			if err == nil {
				var answers []broker.Answer
				answers, err = d.Depths(t.Context(), []broker.Query{{Queue: queues[0]}, {Queue: queues[1]}})
				if s.want == "" && (err != nil || broker.ReasonOf(answers[1].Err) != broker.ReasonHostNotAllowed || answers[0].Err != nil) {
					t.Errorf("%+v, %v; want the node that is not adopted refused", answers, err)
				}
				d.Close()
			}
			if s.want != "" && (err == nil || !strings.Contains(err.Error(), s.want) || broker.ReasonOf(err) != s.reason) {
				t.Errorf("the error is %v (%s), want %s with %q in it", err, broker.ReasonOf(err), s.reason, s.want)
			}
		})
	}
}

// A queue whose keys are in different slots fails alone.
func TestAQueueWhoseKeysAreInDifferentSlots(t *testing.T) {
	c := redisservertest.StartCluster(t, 1, false, neverDead)
	d := open(t, inCluster(c.Masters[0]), newBell().ring)
	answers := depths(t, d, broker.Query{Queue: "a}b"}, broker.Query{Queue: "jobs:{eu}"})
	if broker.ReasonOf(answers[0].Err) != broker.ReasonInvalidQueue || answers[1].Err != nil {
		t.Errorf("%+v", answers)
	}
}
