package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// Workers, the operator, the API server and Redis are killed under load: each order of two of them, within 3 s of each
// other, and what was killed comes back in any order. In the end every task is done, and only those twice whose worker or
// whose acknowledgement was killed. The stack is the story's own: no other story needs what it kills.
func TestNothingIsLostWhateverIsKilled(t *testing.T) {
	t.Parallel()
	s := tellOn(t, startOwnStack(t), "", redisservertest.Start(t))
	s.create(s.scalerConfig(), makeFleet("kills").replicas(1, 6))
	s.awaitWorkers("kills", 1)

	kills := pairs([]victim{
		{name: "a worker", kill: s.killAnyWorker}, {name: "the operator", kill: s.killOperator},
		{name: "the API server", kill: s.killAPIServer}, {name: "Redis", kill: s.killRedis, isBroker: true},
	})
	rand.Shuffle(len(kills), func(i, j int) { kills[i], kills[j] = kills[j], kills[i] })

	pushing := s.pushUntilStopped(25*time.Millisecond, 100*time.Millisecond, 900*time.Millisecond)
	defer pushing.stop()
	for _, pair := range kills {
		s.awaitProgress(4)
		apart := rand.N(killedWithin)
		t.Logf("%s: killing %s, and %s %s later", time.Now().Format("15:04:05.000"), pair[0].name, pair[1].name, apart)
		revive := []func(){pair[0].kill()}
		<-time.After(apart)
		revive = append(revive, pair[1].kill())
		if !pair[0].isBroker && !pair[1].isBroker {
			s.awaitProgress(3) // the workers go on without both
		}
		rand.Shuffle(len(revive), func(i, j int) { revive[i], revive[j] = revive[j], revive[i] })
		for _, back := range revive {
			back()
		}
	}
	pushing.stop()
	s.awaitDone()
	s.awaitWorkers("kills", 1)
	t.Log(s.sound())
	s.awaitNoLists()
}

// killedWithin is the most time between two kills of a pair.
const killedWithin = 3 * time.Second

// pairs has each order of two of the victims, also one twice in a row where others start it again.
func pairs(victims []victim) (pairs [][2]victim) {
	for i, first := range victims {
		for j, second := range victims {
			if i != j || first.name == "a worker" {
				pairs = append(pairs, [2]victim{first, second})
			}
		}
	}
	return pairs
}

// victim is something to kill. Its kill returns what brings it back.
type victim struct {
	name string
	kill func() (revive func())
	// isBroker is true where no worker can do anything without it.
	isBroker bool
}

func (s *story) killAnyWorker() (revive func()) {
	s.Helper()
	s.await("a worker that can be killed", func() string {
		pods := s.census.present("kills")
		if len(pods) == 0 {
			return "there is none"
		}
		return s.kill(pods[rand.IntN(len(pods))].Name)
	})
	return func() {} // the node starts it again
}

// kill kills a pod's worker, and says why it could not.
func (s *story) kill(pod string) (complaint string) {
	from := time.Now()
	if err := s.stack.KillWorker(s.namespace, pod); err != nil {
		return err.Error()
	}
	s.books.Killed(pod, from, time.Now())
	return ""
}

func (s *story) killOperator() (revive func()) {
	s.Helper()
	if err := s.stack.Operator().Kill(); err != nil {
		s.Fatal(err)
	}
	return s.once(func() error { return s.stack.Operator().Start() })
}

func (s *story) killAPIServer() (revive func()) {
	s.Helper()
	if err := s.stack.ControlPlane().KillAPIServer(); err != nil {
		s.Fatal(err)
	}
	return s.once(func() error { return s.stack.ControlPlane().StartAPIServer(context.Background()) })
}

func (s *story) killRedis() (revive func()) {
	s.Helper()
	from := time.Now()
	if err := s.broker.Kill(); err != nil {
		s.Fatal(err)
	}
	return s.once(func() error {
		err := s.broker.Restart(context.Background())
		// Workers try again after 1.5 s at first, see examples/README.md, and only then acknowledge.
		s.books.Outage(from, time.Now().Add(5*time.Second))
		return err
	})
}

// once starts again what was killed, at the latest when the story ends, whatever becomes of it.
func (s *story) once(start func() error) (revive func()) {
	revive = sync.OnceFunc(func() {
		if err := start(); err != nil {
			s.Errorf("starting again what was killed, %v", err)
		}
	})
	s.Cleanup(revive)
	return revive
}

// awaitProgress waits until n more tasks are done.
func (s *story) awaitProgress(n int) {
	s.Helper()
	before := s.doneCount()
	s.await(fmt.Sprintf("%d more tasks to be done", n), func() string {
		if now := s.doneCount(); now < before+n {
			return fmt.Sprintf("there are %d", now-before)
		}
		return ""
	})
}

func (s *story) doneCount() int {
	s.Helper()
	s.refresh()
	return s.books.Count() - len(s.books.Open())
}

func (s *story) awaitNoLists() {
	s.Helper()
	s.await("every worker's list to be empty", func() string {
		if lists := s.processing(); len(lists) > 0 {
			return strings.Join(lists, ", ")
		}
		return ""
	})
}

// producer pushes in the background.
type producer struct{ stop func() }

// pushUntilStopped pushes a task of random length at each tick. A task is pushed exactly once, also while
// Redis is killed: a script notes beside the queue that it was.
func (s *story) pushUntilStopped(every, shortest, longest time.Duration) *producer {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 1; ; n++ {
			const enough = 20 // tasks that wait: more only make the story longer
			id := fmt.Sprintf("p-%d", n)
			length := shortest + rand.N(longest-shortest)
			s.books.Pushed(id, time.Now())
			for s.pushOnce(id, length) != nil {
				<-ticker.C // once more, also after the end: the books have it
			}
			for len(s.books.Open()) > enough && ctx.Err() == nil {
				<-ticker.C
			}
			if ctx.Err() != nil {
				return
			}
			<-ticker.C
		}
	}()
	return &producer{stop: func() {
		cancel()
		<-ended
	}}
}

const pushOnceScript = `if redis.call('SET', KEYS[2], '', 'NX') then redis.call('LPUSH', KEYS[1], ARGV[1]) end`

func (s *story) pushOnce(id string, length time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.redis.Do(ctx, s.redis.B().Eval().Script(pushOnceScript).Numkeys(2).
		Key(queue, "pushed:"+id).Arg(payload(id, length)).Build()).Error()
	if rueidis.IsRedisNil(err) { // the script has no answer
		return nil
	}
	return err
}

// The operator is killed, and pods are deleted by force meanwhile. The next operator has never seen them: it finds
// their lists and reclaims their tasks.
func TestTheNextOperatorFindsTheTasksOfVanishedPods(t *testing.T) {
	t.Parallel()
	s := tellOn(t, startOwnStack(t), "", redisservertest.Start(t))
	s.create(s.scalerConfig(), makeFleet("vanish").replicas(0, 3))
	const long = 20 * time.Second // none of them ends before all pods are gone
	s.makeBusy("vanish", 3, long)
	revive := s.killOperator()
	from := time.Now()
	pods := s.census.present("vanish")
	if err := s.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(s.namespace), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	s.await("the pods to be gone", func() string {
		if left := s.census.present("vanish"); len(left) > 0 {
			return fmt.Sprintf("%d are there", len(left))
		}
		return ""
	})
	for _, pod := range pods {
		s.books.Killed(pod.Name, from, time.Now())
	}
	if lists := s.processing(); len(lists) != 3 {
		t.Fatalf("the vanished pods have left the lists %v, want 3", lists)
	}
	revive()
	s.awaitDone()
	s.awaitWorkers("vanish", 0)
	if b := s.sound(); len(b.Killed) != 3 {
		t.Errorf("3 tasks were cut off by force: %s", b)
	}
	s.awaitNoLists()
}
