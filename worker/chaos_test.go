package worker_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/redislist"
)

// chaosLog has this test program be a worker, and is the file that it writes to.
const chaosLog = "QSCALER_TEST_CHAOS_LOG"

var chaosSeed = flag.Uint64("chaos.seed", 0, "seed of the accidents; 0 is a new one each time")

func TestMain(m *testing.M) {
	if path := os.Getenv(chaosLog); path != "" {
		chaosWorker(path)
		return
	}
	os.Exit(m.Run())
}

// chaosWorker does tasks of up to 30 ms, of which every seventh fails twice, and writes down what it has done.
func chaosWorker(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	concurrency, err := strconv.Atoi(os.Getenv("QSCALER_TEST_CONCURRENCY"))
	if err != nil {
		log.Fatal(err)
	}
	err = worker.Run(context.Background(), func(_ context.Context, t *worker.Task) error {
		h := fnv.New32a()
		_, _ = h.Write(t.Payload)
		<-time.After(rand.N(30 * time.Millisecond))
		if h.Sum32()%7 == 0 && t.Attempt <= 2 {
			return errors.New("it fails twice")
		}
		_, err := fmt.Fprintf(file, "%d %s %s %d/%d\n", time.Now().UnixMilli(), t.ID, t.Payload, os.Getpid(), t.Attempt) // one write
		return err
	}, worker.WithConcurrency(concurrency), worker.WithRetries(100),
		worker.WithBackoff(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		log.Fatal(err)
	}
}

// chaosPod is a pod whose worker is killed and started again.
type chaosPod struct {
	name, log string
	cmd       *exec.Cmd
	// lives has when each process of the pod was killed.
	kills []time.Time
}

// chaos is a Redis behind a bad line, and pods.
type chaos struct {
	*bench
	line *line
	rng  *rand.Rand
	dir  string
	pods []*chaosPod
	gone []*chaosPod
	next int
}

func (c *chaos) newPod() *chaosPod {
	c.next++
	p := &chaosPod{name: fmt.Sprintf("pod-%d", c.next), log: filepath.Join(c.dir, fmt.Sprintf("pod-%d.log", c.next))}
	c.startIn(p)
	return p
}

func (c *chaos) startIn(p *chaosPod) {
	c.Helper()
	p.cmd = exec.Command(os.Args[0]) //nolint:gosec,noctx // this program; it is killed at the end
	p.cmd.Env = append(os.Environ(), chaosLog+"="+p.log, contract.EnvPodName+"="+p.name,
		contract.EnvBrokerAddress+"="+c.line.addr(), "QSCALER_TEST_CONCURRENCY="+strconv.Itoa(1+c.rng.IntN(20)))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		c.Fatal(err)
	}
}

func (c *chaos) kill(p *chaosPod) {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.kills = append(p.kills, time.Now())
}

// leave tells a worker to leave, by a signal, and waits until it has. That is no kill: what it has done must be
// acknowledged. One that has not come so far as to listen for signals ends by it, which is a kill.
func (c *chaos) leave(p *chaosPod) {
	c.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			p.kills = append(p.kills, time.Now())
		} else if err != nil {
			c.Errorf("the worker in %s was told to leave, and ended with %v", p.name, err)
		}
	case <-time.After(patience):
		c.Fatalf("the worker in %s was told to leave %s ago", p.name, patience)
	}
}

// accident is something that happens.
func (c *chaos) accident() {
	i := c.rng.IntN(len(c.pods))
	switch c.rng.IntN(10) {
	case 0, 1, 2: // a process is killed, and started again in its pod
		c.kill(c.pods[i])
		c.startIn(c.pods[i])
	case 3: // a pod vanishes, and the operator gives its tasks back
		p := c.pods[i]
		c.kill(p)
		c.do("EVAL", redislist.ReclaimScript, "2", redislist.Processing(queue, p.name), queue)
		c.gone = append(c.gone, p)
		c.pods[i] = c.newPod()
	case 4: // Redis is killed
		c.server.Kill()
		c.server.Restart()
		c.redis = c.server.Client()
	case 5: // a worker is told to leave, and another is started in its pod
		c.leave(c.pods[i])
		c.startIn(c.pods[i])
	default: // connections are cut, each after some more bytes
		c.line.cutSoon()
	}
}

// Processes, pods and Redis are killed, workers are told to leave, and connections cut in the middle of commands
// and of answers. In the end
// every task is done, and none twice but those whose worker was killed.
func TestTheBooksBalance(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed=%d", seed)
	server := redistest.Start(t)
	b := &bench{TB: t, server: server, redis: server.Client(), drain: filepath.Join(t.TempDir(), "drain")}
	b.environment(server.Addr())
	c := &chaos{bench: b, line: newLine(t, server.Addr(), seed), rng: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir()}
	for range 3 {
		c.pods = append(c.pods, c.newPod())
	}
	t.Cleanup(func() {
		for _, p := range c.pods {
			c.kill(p)
		}
	})

	pushed := map[string]int{}
	const rounds, perRound, alike = 60, 10, 4
	for round := range rounds {
		for i := range perRound {
			payload := fmt.Sprintf("task-%d-%d", round, i)
			if i < alike {
				payload = fmt.Sprintf("alike-%d", i) // in every round
			}
			c.do("LPUSH", queue, payload)
			pushed[payload]++
		}
		<-time.After(time.Duration(c.rng.IntN(200)) * time.Millisecond)
		c.accident()
	}
	c.line.heal()
	c.eventually("every task to be done", func() string {
		keys := []string{queue, redislist.Delayed(queue)}
		for _, p := range append(c.pods, c.gone...) {
			keys = append(keys, redislist.Processing(queue, p.name))
		}
		args := append([]string{"EVAL", leftScript, strconv.Itoa(len(keys))}, keys...)
		if n := c.number(args...); n > 0 {
			return fmt.Sprintf("%d are not", n)
		}
		return ""
	})
	c.balance(pushed)
}

// leftScript counts what is not done, in one step: a task that moves is not to be missed.
const leftScript = `local n = redis.call('LLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])
for i = 3, #KEYS do n = n + redis.call('LLEN', KEYS[i]) end
return n`

// entry is one line of a worker's log.
type entry struct {
	at      time.Time
	pod     *chaosPod
	process string
}

func (c *chaos) balance(pushed map[string]int) {
	c.Helper()
	tasks := map[string]map[string][]entry{} // by payload and identifier
	for _, p := range append(c.pods, c.gone...) {
		for _, e := range readLog(c, p) {
			if tasks[e.payload] == nil {
				tasks[e.payload] = map[string][]entry{}
			}
			tasks[e.payload][e.id] = append(tasks[e.payload][e.id], entry{e.at, p, e.process})
		}
	}
	lost, twice := 0, 0
	for payload, n := range pushed {
		if len(tasks[payload]) < n {
			lost += n - len(tasks[payload])
			c.Errorf("%s was pushed %d times, and done by %d tasks", payload, n, len(tasks[payload]))
		}
		extra := len(tasks[payload]) - n // a task without an identifier may get another one after a kill
		for id, done := range tasks[payload] {
			slices.SortFunc(done, func(a, b entry) int { return a.at.Compare(b.at) })
			for _, first := range done[:len(done)-1] {
				twice++
				if !killedAfter(first) {
					c.Errorf("task %s (%s) was done again, and nobody killed the worker in %s that had done it: %s", id, payload, first.pod.name, history(done))
				}
			}
		}
		if extra > 0 {
			twice += extra
			if kills := c.killCount(); extra > kills {
				c.Errorf("%s was pushed %d times and done by %d tasks; only %d processes were killed", payload, n, n+extra, kills)
			}
		}
	}
	for payload := range tasks {
		if pushed[payload] == 0 {
			c.Errorf("%q was done, and never pushed", payload)
		}
	}
	if n := c.dead(); n > 0 {
		c.Errorf("%d tasks were given up", n)
	}
	c.Logf("%d payloads; lost %d, done again %d, killed %d processes", len(pushed), lost, twice, c.killCount())
}

// history tells who has done a task, and when that worker was killed.
func history(done []entry) string {
	var b strings.Builder
	for _, e := range done {
		fmt.Fprintf(&b, "\n  %s: %s, process and attempt %s, killed", e.at.Format("05.000"), e.pod.name, e.process)
		for _, at := range e.pod.kills {
			fmt.Fprintf(&b, " %s", at.Format("05.000"))
		}
	}
	return b.String()
}

func (c *chaos) killCount() int {
	n := 0
	for _, p := range append(c.pods, c.gone...) {
		n += len(p.kills)
	}
	return n
}

// killedAfter reports whether the worker was killed so soon after a task that the acknowledgement, which is
// repeated until Redis answers, may not have come through.
func killedAfter(e entry) bool {
	const within = 10 * time.Second
	for _, at := range e.pod.kills {
		if at.After(e.at) && at.Sub(e.at) < within {
			return true
		}
	}
	return false
}

type logged struct {
	at          time.Time
	id, payload string
	process     string // and the attempt
}

func readLog(c *chaos, p *chaosPod) (entries []logged) {
	c.Helper()
	file, err := os.Open(p.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was killed before its first task
	}
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 4 {
			continue // cut off by a kill
		}
		at, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			c.Fatalf("%s: %v", p.log, err)
		}
		entries = append(entries, logged{time.UnixMilli(at), fields[1], fields[2], fields[3]})
	}
	return entries
}
