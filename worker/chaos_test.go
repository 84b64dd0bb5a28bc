package worker_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

var chaosSeed = flag.Uint64("chaos.seed", 1, "seed of the accidents; 0 draws one")

// chaos is a Redis behind a bad line, pods, and the books of what is pushed.
//
//	chaos_test.go         the tasks, the accidents and the books
//	chaos_pod_test.go     pods, whose workers are started again
//	chaos_worker_test.go  the worker
//	line_test.go          the line
type chaos struct {
	*bench
	// direct is a connection for those who wait until Redis is there again.
	direct        rueidis.Client
	line          *line
	seed          uint64
	rng           *rand.Rand
	dir           string
	pods, deleted []*chaosPod

	// pushed counts the tasks by payload, named those with an identifier of the producer's by that.
	pushed, named map[string]int

	mu sync.Mutex
	// ends counts what has interrupted a worker; again is how often a task was in the hand of one then.
	ends  int
	again map[string]int
}

// Processes, pods and Redis are killed, workers are told to leave, are frozen and taken for dead, Redis' clock jumps,
// and connections are cut in the middle of commands and of answers. In the end every task is done or a dead letter,
// as its kind is, and none was done twice but those that were in the hand of a worker that was interrupted.
func TestTheBooksBalance(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed=%d", seed)
	server := redistest.Start(t)
	b := &bench{TB: t, server: server, redis: server.Client(), drain: filepath.Join(t.TempDir(), "drain")}
	b.environment(server.Addr())
	c := &chaos{
		bench: b, direct: server.Client(), line: newLine(t, server.Addr(), seed),
		seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(),
		pushed: map[string]int{}, named: map[string]int{}, again: map[string]int{},
	}
	t.Cleanup(func() {
		for _, p := range c.pods {
			p.delete()
		}
	})
	for range 3 {
		c.pods = append(c.pods, c.newPod())
	}
	const rounds = 60
	for round := range rounds {
		c.produce(round)
		<-time.After(time.Duration(c.rng.IntN(200)) * time.Millisecond)
		c.accident()
	}
	c.line.heal()
	c.finish()
	c.balance()
}

// malformed are payloads, and envelopes that somebody else has made up.
var malformed = []string{
	"", "\x00\xff\n\r", strings.Repeat("long ", 5000), "qscaler:1:", "qscaler:1:x:0:0:0::9:short", "qscaler:1:x:0:0:9999999999999999::0:",
	"qscaler:1:twin:0:0:0::0:one of twins", "qscaler:1:left:0:0:0:gone.1:0:left by a worker that nobody knows", "qscaler:1:x:0:0:0::7:no JSONmalformed headers",
}

// produce pushes tasks of every kind.
func (c *chaos) produce(round int) {
	c.Helper()
	for i := range 4 {
		c.push(fmt.Sprintf("alike-%d", i)) // in every round
	}
	c.push(fmt.Sprintf("plain-%d", round))
	c.push(fmt.Sprintf("flaky-%d", round))
	c.push(malformed[round%len(malformed)])
	switch round % 20 {
	case 0, 5, 10, 15:
		c.push(fmt.Sprintf("permanent-%d", round))
	case 3, 13:
		c.push(fmt.Sprintf("doomed-%d", round))
	case 7:
		c.push(fmt.Sprintf("poison-%d", round))
	case 9:
		c.push(fmt.Sprintf("long-%d%s", round, strings.Repeat(" ", store.StepBytes)))
	}
	c.enqueue(fmt.Sprintf("later-%d", round), worker.WithDelay(time.Duration(c.rng.IntN(2000))*time.Millisecond))
	unique := fmt.Sprintf("unique-%d", round%5)
	c.enqueue(unique, worker.WithUnique(unique, time.Hour))
}

func (c *chaos) push(element string) {
	c.Helper()
	c.do("LPUSH", queue, element)
	t := redislist.Parse(element)
	c.pushed[t.Payload]++
	c.named[t.ID]++
}

func (c *chaos) enqueue(payload string, option worker.EnqueueOption) {
	c.Helper()
	_, err := worker.NewClient(c.redis).Enqueue(c.Context(), queue, []byte(payload), option)
	if errors.Is(err, worker.ErrDuplicate) {
		return
	}
	if err != nil {
		c.Fatal(err)
	}
	c.pushed[payload]++
}

// accident is something that happens.
func (c *chaos) accident() {
	c.Helper()
	i := c.rng.IntN(len(c.pods))
	p := c.pods[i]
	switch c.rng.IntN(16) {
	case 0, 1, 2: // a process is killed
		p.signal(syscall.SIGKILL)
	case 3: // a pod vanishes, and the operator reclaims its tasks
		p.delete()
		c.reclaim(p)
		c.deleted = append(c.deleted, p)
		c.pods[i] = c.newPod()
	case 4: // Redis is killed
		c.server.Kill()
		c.server.Restart()
		c.redis = c.server.Client()
	case 5: // a worker is told to leave
		p.leave()
	case 6: // a process stands still: its clocks jump
		p.signal(syscall.SIGSTOP)
		<-time.After(time.Duration(c.rng.IntN(500)) * time.Millisecond)
		p.signal(syscall.SIGCONT)
	case 7: // a node does not answer: its pod is taken for dead, and goes on
		p.signal(syscall.SIGSTOP)
		c.interrupted(c.reclaim(p))
		p.signal(syscall.SIGCONT)
	case 8: // Redis' clock jumps
		c.jump(time.Duration(c.rng.IntN(4000)-2000) * time.Millisecond)
	default: // connections are cut, each after some more bytes
		c.line.cutSoon()
	}
}

// reclaim returns a pod's tasks, as the operator does, and tells which they were.
func (c *chaos) reclaim(p *chaosPod) (elements []string) {
	c.Helper()
	list := redislist.Processing(queue, p.name)
	const atOnce = "local held = redis.call('LRANGE', KEYS[1], 0, -1)\n"
	script := redislist.ReclaimScript
	script = script[:strings.LastIndex(script, "return ")]
	const unbounded = "1e12"
	elements, err := c.do("EVAL", atOnce+script+"return held", "2", list, queue, unbounded).AsStrSlice()
	if err != nil {
		c.Fatal(err)
	}
	return elements
}

// jump has Redis' clock be ahead by d of what it was: it stands in nothing else that is kept but when tasks are due.
// No test can move the clock of a real Redis.
func (c *chaos) jump(d time.Duration) {
	c.Helper()
	c.do("EVAL", `for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], member) end`,
		"1", redislist.Delayed(queue), strconv.FormatInt(d.Milliseconds(), 10))
}

// finish waits until no task waits or is in hand any more.
func (c *chaos) finish() {
	c.Helper()
	keys := []string{queue, redislist.Delayed(queue)}
	for _, p := range slices.Concat(c.pods, c.deleted) {
		keys = append(keys, redislist.Processing(queue, p.name))
	}
	count := append([]string{"EVAL", leftScript, strconv.Itoa(len(keys))}, keys...)
	const longestWait = 2 * time.Minute // tasks that end their workers are done alone, and each time anew
	for deadline := time.Now().Add(longestWait); ; <-time.After(20 * time.Millisecond) {
		for _, p := range c.deleted {
			c.reclaim(p) // a command that was under way has come in late
		}
		left := c.number(count...)
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("%d tasks are neither done nor dead", left)
		}
	}
}

// leftScript counts what is neither done nor dead, in one step: a task that moves is not to be missed.
const leftScript = `local n = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])
for i = 3, #KEYS do n = n + redis.call('LLEN', KEYS[i]) end
return n`

// balance compares what was pushed with what was done and what is dead.
func (c *chaos) balance() {
	c.Helper()
	for _, p := range c.pods {
		p.delete() // for good, and with all that is to be known of it
	}
	done, dead, twice := map[string]int{}, map[string]int{}, 0
	times := map[execution]int{}
	all, err := executions(c.dir)
	if err != nil {
		c.Error(err)
	}
	for _, e := range all {
		times[e]++
	}
	for e, n := range times {
		tasks := max(c.named[e.id], 1)
		if again := n - tasks; again > 0 {
			twice += again
			if most := c.again[e.id]; again > most {
				c.Errorf("task %s, %.60q, was done %d times, and was in the hand of %d workers that were interrupted", e.id, e.payload, n, most)
			}
		}
		done[e.payload] += min(n, tasks)
	}
	letters, err := worker.NewClient(c.redis).DeadLetters(context.Background(), queue, 0, 1_000_000)
	if err != nil {
		c.Fatal(err)
	}
	for _, letter := range letters {
		kind, _, _ := strings.Cut(string(letter.Payload), "-")
		if why := lethal[kind]; why == "" || !strings.Contains(letter.Error, why) {
			c.Errorf("%.60q is a dead letter after %d attempts: %s", letter.Payload, letter.Attempts, letter.Error)
		}
		dead[string(letter.Payload)]++
	}
	pushed := 0
	for payload, n := range c.pushed {
		pushed += n
		if done[payload]+dead[payload] != n {
			c.Errorf("%.60q was pushed %d times; done %d, dead %d", payload, n, done[payload], dead[payload])
		}
		delete(done, payload)
		delete(dead, payload)
	}
	if len(done)+len(dead) > 0 {
		c.Errorf("never pushed, and done or dead: %v %v", done, dead)
	}
	if keys, err := c.do("KEYS", redislist.Unique(queue, "*")).AsStrSlice(); err != nil || len(keys) > 0 {
		c.Errorf("the keys %q of tasks that are done still stand (%v)", keys, err)
	}
	c.Logf("pushed %d: done %d, %d of them again, dead %d; %d workers were interrupted", pushed, len(all), twice, len(letters), c.ends)
}

// lethal has the kinds of tasks that end as dead letters, and the error that each has in the end.
var lethal = map[string]string{"poison": "its worker ended", "doomed": "never", "permanent": "no way"}
