package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runner runs the tests of one package, with one mutant on.
type runner struct {
	dir, work, binary string
	long              bool // run what -short leaves out

	tests []test // the quickest first
}

// test is one of the package's tests, and what it costs.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool // mutants by identity
}

// outcome is what became of the tests.
type outcome int

const (
	passed outcome = iota
	failed
	late
)

// listed matches what -test.list prints and -test.run runs.
var listed = regexp.MustCompile(`^(Test|Fuzz|Example)`)

// baseline runs each test by itself with no mutant on, and learns which mutants it reaches.
func (r *runner) baseline(ctx context.Context, only *regexp.Regexp) error {
	list := exec.CommandContext(ctx, r.binary, "-test.list", ".")
	list.Dir = r.dir
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing the tests, %w", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if !listed.MatchString(name) || !only.MatchString(name) {
			continue
		}
		trace := filepath.Join(r.work, "trace")
		began := time.Now()
		result, text := r.run(ctx, []string{name}, 10*time.Minute, "MUTANT_TRACE="+trace)
		if result != passed {
			return fmt.Errorf("%s fails without any mutant:\n%s", name, text)
		}
		t := test{name: name, took: time.Since(began), reaches: map[int]bool{}}
		ids, err := os.ReadFile(trace)
		if err != nil {
			return fmt.Errorf("reading what %s reaches, %w", name, err)
		}
		for id := range strings.FieldsSeq(string(ids)) {
			n, err := strconv.Atoi(id)
			if err != nil {
				return fmt.Errorf("reading what %s reaches, %w", name, err)
			}
			t.reaches[n] = true
		}
		r.tests = append(r.tests, t)
	}
	slices.SortStableFunc(r.tests, func(a, b test) int { return cmp.Compare(a.took, b.took) })
	return nil
}

// quick is how long a test may take that runs in one process with others. The others wait until those have passed.
const quick = 300 * time.Millisecond

// try runs the tests that reach a mutant, and tells what becomes of them. covered is false where none does.
func (r *runner) try(ctx context.Context, m Mutant) (result outcome, covered bool) {
	var batches [][]string
	var took []time.Duration
	for _, t := range r.tests {
		if !t.reaches[m.ID] {
			continue
		}
		if last := len(batches) - 1; last >= 0 && t.took < quick {
			batches[last] = append(batches[last], t.name)
			took[last] += t.took
			continue
		}
		batches, took = append(batches, []string{t.name}), append(took, t.took)
	}
	for i, names := range batches {
		// Long enough for a machine that is also doing something else.
		if result, _ := r.run(ctx, names, 5*time.Second+5*took[i], "MUTANT="+strconv.Itoa(m.ID)); result != passed {
			return result, true
		}
	}
	return passed, len(batches) > 0
}

// run runs tests by their names, until the context ends.
func (r *runner) run(ctx context.Context, names []string, limit time.Duration, variables ...string) (outcome, string) {
	// Where a mutant fills the memory, its process ends.
	command := exec.Command("sh", "-c", `ulimit -v 8000000 && exec "$@"`, "sh", r.binary, "-test.failfast", "-test.timeout="+limit.String(),
		"-test.short="+strconv.FormatBool(!r.long), "-test.run=^("+strings.Join(names, "|")+")$")
	command.Dir = r.dir
	scratch := filepath.Join(r.work, "scratch")
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return failed, err.Error()
	}
	command.Env = append(append(os.Environ(), "TMPDIR="+scratch), variables...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var text strings.Builder
	command.Stdout, command.Stderr = &text, &text
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		return failed, err.Error()
	}
	// A test that is cut off leaves behind the servers that it started.
	end := func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	stuck := time.AfterFunc(limit+10*time.Second, end)
	interrupted := context.AfterFunc(ctx, end)
	err := command.Wait()
	interrupted()
	end()
	switch {
	case !stuck.Stop() || strings.Contains(text.String(), "panic: test timed out after"):
		return late, text.String()
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return passed, text.String()
	default:
		return failed, text.String()
	}
}
