//go:build realkubelet

package realkubelet

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/quickube/qscaler/local/process"
)

var program = flag.String("operator", "bin/qscaler", "the operator's program")

// victim is something to kill again and again.
type victim struct {
	name string
	// pause is how long it lives at least, and pauseMore how much longer at most; down and downMore are how long it is down.
	pause, pauseMore, down, downMore time.Duration
	kill, revive                     func() error
}

// killAll kills each victim now and then until ctx is done, each by itself. In the end all of them live.
func (s *story) killAll(ctx context.Context) (ended []<-chan struct{}) {
	const second = time.Second
	// The start command starts whatever it finds missing, so one of it at a time.
	var starting sync.Mutex
	restart := func() error {
		starting.Lock()
		defer starting.Unlock()
		return s.node.start()
	}
	for _, v := range []*victim{
		{name: "a worker", pause: second, pauseMore: 8 * second, kill: s.killWorker, revive: func() error { return nil }},
		s.operator,
		{
			name: "the API server", pause: 20 * second, pauseMore: 40 * second, downMore: 8 * second,
			kill: func() error { return kill(*apiPID) }, revive: restart,
		},
		{name: "the kubelet", pause: second, pauseMore: 15 * second, down: 5 * second, downMore: 15 * second, kill: s.stopKubelet, revive: s.goOnKubelet},
	} {
		done := make(chan struct{})
		ended = append(ended, done)
		go func() {
			defer close(done)
			s.killAgainAndAgain(ctx, v)
		}()
	}
	return ended
}

func (s *story) killAgainAndAgain(ctx context.Context, v *victim) {
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			s.Logf("%s was killed %d times", v.name, n-1)
			return
		case <-time.After(v.pause + rand.N(v.pauseMore)):
		}
		if err := v.kill(); err != nil {
			s.Errorf("killing %s, %v", v.name, err)
		}
		if v.downMore > 0 {
			<-time.After(v.down + rand.N(v.downMore))
		}
		if err := v.revive(); err != nil {
			s.Errorf("starting %s again, %v", v.name, err)
		}
	}
}

func (s *story) stopKubelet() error { return signal(*kubeletPID, syscall.SIGSTOP) }
func (s *story) goOnKubelet() error { return signal(*kubeletPID, syscall.SIGCONT) }

// killWorker kills the process of any worker.
func (s *story) killWorker() error {
	found, err := workers(s.broker.Addr())
	if err != nil {
		return err
	}
	for pod, pid := range found { // in no order
		from := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			continue // it has ended
		}
		s.books.Killed(pod, from, time.Now())
		return nil
	}
	return nil
}

// startOperator starts the operator's program. It is one of several replicas or not, by chance, each time that it starts.
func (s *story) startOperator() *victim {
	dir := s.TempDir()
	path, err := filepath.Abs(*program)
	if err != nil {
		s.Fatal(err)
	}
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		s.Fatal(err)
	}
	log := filepath.Join(os.TempDir(), s.namespace+"-operator.log")
	s.Logf("the operator's log is %s", log)
	var running *process.Process
	start := func() (err error) {
		argv := []string{
			path, "--kubeconfig", *kubeconfig, "--watch-namespaces", s.namespace, "--metrics-bind-address=0",
			"--health-probe-bind-address=0", "--log-format=text", "--leader-election-namespace", s.namespace,
		}
		if rand.N(2) == 0 {
			argv = append(argv, "--leader-elect=false")
		}
		running, err = launcher.Start(process.Command{Name: "operator", Argv: argv, Env: os.Environ(), Dir: dir, Log: log})
		return err
	}
	if err := start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := running.Stop(20 * time.Second); err != nil {
			s.Error(err)
		}
		launcher.Close()
	})
	const second = time.Second
	return &victim{name: "the operator", pause: 5 * second, pauseMore: 40 * second, downMore: 10 * second, kill: func() error { return running.Stop(0) }, revive: start}
}
