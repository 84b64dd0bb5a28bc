package worker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// chaosPod is a pod whose worker is started again whenever it has ended, as the kubelet does.
type chaosPod struct {
	*chaos
	number int
	name   string

	mu      sync.Mutex
	process *process
	deleted bool
	// gone is closed when no process is in the pod any more, nor will be.
	gone chan struct{}
}

// process is one life of a pod's worker.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

func (c *chaos) newPod() *chaosPod {
	c.Helper()
	number := len(c.pods) + len(c.deleted)
	p := &chaosPod{chaos: c, number: number, name: fmt.Sprint("pod-", number), gone: make(chan struct{})}
	if !p.begin(0) {
		c.FailNow()
	}
	go p.keep()
	return p
}

// begin starts a process, unless the pod is deleted.
func (p *chaosPod) begin(life int) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deleted {
		return false
	}
	const mostLives, mostAtOnce = 1 << 20, 20
	rng := rand.New(rand.NewPCG(p.seed, uint64(p.number*mostLives+life)))
	cmd := exec.Command(os.Args[0]) //nolint:gosec,noctx // this program; it is killed at the end
	cmd.Env = append(os.Environ(), contract.EnvPodName+"="+p.name, contract.EnvBrokerAddress+"="+p.line.addr(),
		chaosLog+"="+filepath.Join(p.dir, fmt.Sprintf("%s.%d.log", p.name, life)), chaosConcurrency+"="+strconv.Itoa(1+rng.IntN(mostAtOnce)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.process = &process{cmd, make(chan struct{})}
	if err := cmd.Start(); err != nil {
		p.Errorf("starting a worker in %s: %v", p.name, err)
		return false
	}
	return true
}

// keep waits for each end of the pod's worker. What it had in hand then may be done again.
func (p *chaosPod) keep() {
	defer close(p.gone)
	for life := 1; ; life++ {
		err := p.process.Wait()
		if status, _ := p.process.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
			p.interrupted(p.held(p.name))
		} else if err != nil {
			p.Errorf("the worker in %s ended with %v", p.name, err)
		}
		close(p.process.ended)
		if !p.begin(life) {
			return
		}
	}
}

// signal sends a signal to the pod's worker, should it not have ended by itself.
func (p *chaosPod) signal(signal os.Signal) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.process.Process.Signal(signal)
	return p.process
}

// delete ends the pod.
func (p *chaosPod) delete() {
	p.mu.Lock()
	p.deleted = true
	_ = p.process.Process.Kill()
	p.mu.Unlock()
	<-p.gone
}

// leave tells a worker to leave, by a signal, and waits until it has. That is no kill: what it has done must be
// acknowledged. One that has not come so far as to listen for signals ends by it, which is one.
func (p *chaosPod) leave() {
	p.Helper()
	select {
	case <-p.signal(syscall.SIGTERM).ended:
	case <-time.After(longestWait):
		p.Fatalf("the worker in %s was told to leave %s ago", p.name, longestWait)
	}
}

// held has what a pod's list holds, once Redis answers.
func (c *chaos) held(pod string) []string {
	for c.Context().Err() == nil {
		read := c.direct.B().Lrange().Key(redislist.Processing(queue, pod)).Start(0).Stop(-1).Build()
		if elements, err := c.direct.Do(context.Background(), read).AsStrSlice(); err == nil {
			return elements
		}
		<-time.After(10 * time.Millisecond)
	}
	return nil
}

// interrupted notes the tasks that a worker may have done without having been heard of: they may be done again.
func (c *chaos) interrupted(elements []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends++
	for _, element := range elements {
		c.again[redislist.Parse(element).ID]++
	}
}
