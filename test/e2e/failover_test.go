package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// The master of a Redis that Sentinels watch is killed while workers work. The operator says so, Sentinels make the replica
// the master, and the operator and the workers go on there. Each task that the replica had is done, no worker is told to
// end in the middle of a task, and the fleet goes back to zero.
func TestAFleetFollowsTheMasterThatSentinelsName(t *testing.T) {
	t.Parallel()
	// Sentinels take the master for dead when the story lets them, so that the operator is seen without any.
	w := redisservertest.StartWatched(t, 1, time.Hour, nil)
	w.AwaitQuorum(t, "")
	first, second := w.Servers[0], w.Servers[1]
	s := tellOf(t, "", first)
	s.create(s.sentinelConfig(w), makeFleet("failover").replicas(0, 4).readyAfter(0).image(exampleworkers.SDK))
	pushing := s.pushReplicated(w)
	defer pushing.stop()
	s.awaitBusy("failover", 4)
	s.awaitCondition("failover", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	s.await("a backlog", func() string {
		s.refresh()
		if open := len(s.books.Open()); open < enoughOpen {
			return fmt.Sprintf("%d tasks are not done", open)
		}
		return ""
	})

	from := time.Now()
	s.must(first.Kill())
	s.awaitCondition("failover", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "ConnectionRefused")
	s.awaitIdle("failover") // workers end what they have in hand, and can take no more
	s.letFailOver(w, second)
	named := time.Now()
	t.Logf("Sentinels named another master %s after the first was killed", named.Sub(from).Round(time.Millisecond))
	// What the first master had not yet copied is done again: a task that a worker had just taken or acknowledged.
	s.books.Outage(from, named)
	s.broker = second
	s.redis = s.connect("")
	s.awaitProgress(enoughOpen / 2)
	s.awaitCondition("failover", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
	s.awaitCondition("failover", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	s.must(first.Restart(t.Context()))
	s.awaitReplica(first)
	pushed := s.books.Count()
	s.await("pushes that the new replica has", func() string {
		s.refresh()
		if now := s.books.Count(); now < pushed+enoughOpen/2 {
			return fmt.Sprintf("there are %d", now-pushed)
		}
		return ""
	})
	pushing.stop()
	s.awaitDone()
	s.awaitWorkers("failover", 0)
	t.Log(s.sound())
	for _, pod := range s.census.everGranted("failover") {
		if at, reason := s.census.grantedAt(pod.Name); at.After(from) && at.Before(named) {
			t.Errorf("%s had a grant (%s) while nobody could read the queue", pod.Name, reason)
		}
	}
	s.awaitCondition("failover", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
	s.awaitNoLists()
}

// enoughOpen is how many tasks are pushed and not done before the producer waits.
const enoughOpen = 16

// sentinelConfig has the address of one Sentinel alone.
func (s *story) sentinelConfig(w *redisservertest.Watched) *v1alpha1.ScalerConfig {
	c := s.scalerConfig()
	c.Spec.Config.Port = ptr.To(intstr.FromInt(w.Sentinels[0].Port()))
	c.Spec.Config.Redis = &v1alpha1.RedisConfig{Sentinel: &v1alpha1.RedisSentinel{Master: redisservertest.MasterName}}
	return c
}

// letFailOver has the Sentinels take a server for dead after a second, and waits until all of them name the next master.
func (s *story) letFailOver(w *redisservertest.Watched, next *redisserver.Server) {
	s.Helper()
	for _, sentinel := range w.Sentinels {
		_, err := redisservertest.Ask(s, sentinel.Addr(), "", "SENTINEL", "SET", redisservertest.MasterName, "down-after-milliseconds", "1000")
		s.must(err)
	}
	for _, sentinel := range w.Sentinels {
		s.await("a Sentinel to name "+next.Addr(), func() string {
			master, err := masterOf(s, sentinel)
			if err != nil {
				return err.Error()
			}
			if master != next.Addr() {
				return "it names " + master
			}
			return ""
		})
	}
}

// masterOf is the address that a Sentinel names.
func masterOf(s *story, sentinel *redisserver.Server) (string, error) {
	answer, err := redisservertest.Ask(s, sentinel.Addr(), "", "SENTINEL", "GET-MASTER-ADDR-BY-NAME", redisservertest.MasterName)
	if err != nil {
		return "", err
	}
	words, err := answer.AsStrSlice()
	if err == nil && len(words) != 2 {
		err = fmt.Errorf("it names %q", words)
	}
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(words[0], words[1]), nil
}

// awaitReplica waits until a server has the data of its master.
func (s *story) awaitReplica(server *redisserver.Server) {
	s.Helper()
	s.await("a replica at "+server.Addr(), func() string {
		answer, err := redisservertest.Ask(s, server.Addr(), "", "INFO", "replication")
		if err != nil {
			return err.Error()
		}
		if text := answer.String(); !strings.Contains(text, "role:slave") || !strings.Contains(text, "master_link_status:up") {
			return text
		}
		return ""
	})
}

// replicatedScript pushes a task unless it was pushed before. It always writes, so that WAIT waits for a push before, too.
const replicatedScript = `if not redis.call('SET', KEYS[2], '', 'GET') then redis.call('LPUSH', KEYS[1], ARGV[1]) end`

// pushReplicated pushes tasks until it is stopped, one after the other to the server that a Sentinel names. Each is pushed
// exactly once, and the next one only when a replica has it.
func (s *story) pushReplicated(w *redisservertest.Watched) *producer {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(25 * time.Millisecond)
		defer ticker.Stop()
		for n := 1; ctx.Err() == nil; <-ticker.C {
			if len(s.books.Open()) > enoughOpen {
				continue
			}
			id, length := fmt.Sprintf("p-%d", n), 200*time.Millisecond+rand.N(time.Second)
			n++
			s.books.Pushed(id, time.Now())
			for s.replicated(w, id, length) != nil && !s.Failed() {
				<-ticker.C // once more, also after the end: the books have it
			}
		}
	}()
	return &producer{stop: func() {
		cancel()
		<-ended
	}}
}

// replicated pushes a task, and returns nil when a replica has it.
func (s *story) replicated(w *redisservertest.Watched, id string, length time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	master, err := masterOf(s, w.Sentinels[1])
	if err != nil {
		return err
	}
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{master}, DisableCache: true, ForceSingleClient: true, DisableRetry: true,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Dedicated(func(one rueidis.DedicatedClient) error { // WAIT is for the writes of its own connection
		push := one.B().Eval().Script(replicatedScript).Numkeys(2).Key(queue, "pushed:"+id).Arg(payload(id, length)).Build()
		if err := one.Do(ctx, push).Error(); err != nil && !rueidis.IsRedisNil(err) { // the script has no answer
			return err
		}
		copies, err := one.Do(ctx, one.B().Wait().Numreplicas(1).Timeout(1000).Build()).AsInt64()
		if err == nil && copies == 0 {
			err = errors.New("no replica has the task")
		}
		return err
	})
}
