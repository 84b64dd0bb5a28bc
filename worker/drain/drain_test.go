package drain_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/drain"
)

// watch handles no signals unless it is told to: the goroutine of os/signal is outside of a synctest bubble.
func watch(t *testing.T, file string, opts ...drain.Option) *drain.Watcher {
	t.Helper()
	w := drain.Watch(t.Context(), append([]drain.Option{drain.WithFile(file), drain.WithSignals()}, opts...)...)
	t.Cleanup(w.Stop)
	return w
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// The first look is immediate: each state is known when Watch returns.
func TestTheStatesOfTheFile(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, file string)
		want contract.Reason
	}{
		"a file that is missing is no grant":            {make: func(*testing.T, string) {}},
		"an empty file is no grant":                     {make: func(t *testing.T, file string) { write(t, file, "") }},
		"a reason is a grant":                           {make: func(t *testing.T, file string) { write(t, file, "ScaleDown") }, want: contract.ReasonScaleDown},
		"a reason that nobody knows is a grant":         {make: func(t *testing.T, file string) { write(t, file, "Lunch") }, want: "Lunch"},
		"a line's end is no part of the reason":         {make: func(t *testing.T, file string) { write(t, file, "Rollout\n") }, want: contract.ReasonRollout},
		"white space is a grant, it is not empty":       {make: func(t *testing.T, file string) { write(t, file, " \n") }, want: drain.Unnamed},
		"a reason without an end is cut":                {make: func(t *testing.T, file string) { write(t, file, strings.Repeat("x", 1<<20)) }, want: contract.Reason(strings.Repeat("x", 256))},
		"a directory is no grant":                       {make: func(t *testing.T, file string) { must(t, os.Mkdir(file, 0o700)) }},
		"a symbolic link that leads nowhere is none":    {make: func(t *testing.T, file string) { must(t, os.Symlink(file+".gone", file)) }},
		"a path through something that is no directory": {make: func(t *testing.T, file string) { write(t, filepath.Dir(file)+"/x", "") }},
		"a file that may not be read is no grant": {make: func(t *testing.T, file string) {
			if os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			write(t, file, "ScaleDown")
			must(t, os.Chmod(file, 0))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "drain")
			test.make(t, file)
			w := watch(t, file)
			reason, told := w.Told()
			if reason != test.want || told != (test.want != "") {
				t.Errorf("Told is %q, %t, want %q", reason, told, test.want)
			}
			if closed(w.Done()) != told {
				t.Errorf("Done is closed: %t, told: %t", !told, told)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The kubelet writes a new directory and swaps the link ..data to it.
func TestALinkThatIsSwappedAsTheKubeletDoes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156: on more, the race detector may end the process
	synctest.Test(t, func(t *testing.T) {
		volume := t.TempDir()
		publish := func(version, content string) {
			must(t, os.Mkdir(filepath.Join(volume, version), 0o700))
			write(t, filepath.Join(volume, version, "drain"), content)
			must(t, os.Symlink(version, filepath.Join(volume, "..data_tmp")))
			must(t, os.Rename(filepath.Join(volume, "..data_tmp"), filepath.Join(volume, "..data")))
		}
		publish("..1", "")
		must(t, os.Symlink("..data/drain", filepath.Join(volume, "drain")))
		w := watch(t, filepath.Join(volume, "drain"))
		if reason, told := w.Told(); told {
			t.Fatalf("told %q by an empty file", reason)
		}
		publish("..2", "ScaleDown")
		must(t, os.RemoveAll(filepath.Join(volume, "..1")))
		time.Sleep(drain.Interval) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if reason, _ := w.Told(); reason != contract.ReasonScaleDown {
			t.Errorf("told %q one interval after the swap, want ScaleDown", reason)
		}
	})
}

// Who waits hears of a grant, and of its withdrawal, within an interval, and not by asking.
func TestAGrantComesAndIsWithdrawn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // golang/go#78156: on more, the race detector may end the process
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "drain")
		w := watch(t, file)
		first := w.Done()
		write(t, file, "ScaleDown")
		began := time.Now()
		<-first
		if waited := time.Since(began); waited > drain.Interval {
			t.Errorf("it took %s, want %s at most", waited, drain.Interval)
		}
		write(t, file, "")
		time.Sleep(drain.Interval) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		if reason, told := w.Told(); told {
			t.Errorf("the file is empty again, and it is told %q", reason)
		}
		if closed(w.Done()) {
			t.Error("Done is closed after the withdrawal")
		}
		if !closed(first) {
			t.Error("a channel that was closed is open again")
		}
		write(t, file, "NodeDrain")
		<-w.Done()
		if reason, _ := w.Told(); reason != contract.ReasonNodeDrain {
			t.Errorf("told %q, want NodeDrain", reason)
		}
	})
}

func TestLookDoesNotWaitForTheInterval(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drain")
	w := watch(t, file)
	write(t, file, "ScaleDown")
	if reason, told := w.Look(); !told || reason != contract.ReasonScaleDown {
		t.Errorf("Look is %q, %t", reason, told)
	}
	must(t, os.Remove(file))
	if reason, told := w.Look(); told {
		t.Errorf("the file is gone, and Look is %q", reason)
	}
}

// A withdrawal does not take a signal or the context back.
func TestWhatIsForGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drain")
	ctx, cancel := context.WithCancel(t.Context())
	w := drain.Watch(ctx, drain.WithFile(file), drain.WithSignals())
	defer w.Stop()
	cancel()
	<-w.Done()
	write(t, file, "ScaleDown")
	if reason, _ := w.Look(); reason != drain.ContextDone {
		t.Errorf("told %q, want %q", reason, drain.ContextDone)
	}
	write(t, file, "")
	if _, told := w.Look(); !told {
		t.Error("an empty file has taken the context's end back")
	}
	late := drain.Watch(ctx, drain.WithFile(file), drain.WithSignals())
	defer late.Stop()
	if _, told := late.Told(); !told {
		t.Error("a context that is done is not known when Watch returns")
	}
}

func TestTheDefaultFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drain")
	write(t, file, "Delete")
	t.Setenv(contract.EnvDrainFile, file)
	w := drain.Watch(t.Context())
	defer w.Stop()
	if reason, _ := w.Told(); reason != contract.ReasonDelete {
		t.Errorf("told %q, want Delete", reason)
	}
}

func TestSignals(t *testing.T) {
	for signal, want := range map[syscall.Signal]contract.Reason{
		syscall.SIGTERM: drain.SIGTERM, syscall.SIGINT: drain.SIGINT, syscall.SIGUSR1: "user defined signal 1",
	} {
		t.Run(string(want), func(t *testing.T) {
			w := watch(t, "", drain.WithSignals(syscall.SIGTERM, os.Interrupt, syscall.SIGUSR1))
			must(t, syscall.Kill(os.Getpid(), signal))
			<-w.Done()
			if reason, _ := w.Told(); reason != want {
				t.Errorf("told %q, want %q", reason, want)
			}
			if closed(w.Cut()) {
				t.Error("one signal cuts")
			}
		})
	}
}
