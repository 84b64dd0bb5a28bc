// Command mutate tells how much of a package its own tests see. It changes the package in many small ways, one at a
// time, and prints each change that no test notices.
//
//	mutate [-file REGEXP] [-run REGEXP] [-long] [-min PERCENT] DIRECTORY
//
// All mutants are compiled into one test binary, each behind a switch, so that a mutant costs a run of the tests that
// reach it and no compilation. What no test reaches survives. Mutants that change nothing that a test could see are
// listed in the package's testdata/mutants.txt with the reason (equivalent.go), and do not count.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	var o options
	file := flag.String("file", ".", "mutate only files whose name matches")
	tests := flag.String("run", ".", "run only tests whose name matches")
	flag.BoolVar(&o.long, "long", false, "run what the tests leave out with -short, too")
	flag.Float64Var(&o.least, "min", 0, "fail where the score is below `PERCENT`")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mutate [-file REGEXP] [-run REGEXP] [-long] [-min PERCENT] DIRECTORY")
		os.Exit(2)
	}
	o.files, o.tests = regexp.MustCompile(*file), regexp.MustCompile(*tests)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := score(ctx, flag.Arg(0), o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

type options struct {
	files, tests *regexp.Regexp
	long         bool
	least        float64
}

// score prints the mutants of a package that survive and the share of those that do not. It is false where that share is
// too small, or where what is listed as equivalent is not. It leaves no file behind, also where it is interrupted.
func score(ctx context.Context, dir string, o options, out io.Writer) (ok bool, err error) {
	began := time.Now()
	dir, err = filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	listed, err := readEquivalent(dir)
	if err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	binary, mutants, err := build(ctx, dir, work)
	if err != nil {
		return false, cmp.Or(context.Cause(ctx), err)
	}
	r := &runner{dir: dir, work: work, binary: binary, long: o.long}
	if err := r.baseline(ctx, o.tests); err != nil {
		return false, cmp.Or(context.Cause(ctx), err)
	}
	var tried, killed, timeouts, excused int
	ok = true
	for _, m := range mutants {
		if !o.files.MatchString(m.File) {
			continue
		}
		result, covered := r.try(ctx, m)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		equivalent := listed.has(m)
		switch {
		case equivalent && result == passed:
			excused++
			continue
		case equivalent:
			ok = false
			fmt.Fprintf(out, "%s is listed in %s, but a test notices it\n", place(m), equivalentFile)
		case result == passed && !covered:
			fmt.Fprintf(out, "%s (no test reaches it)\n    %s\n", place(m), m.Source)
		case result == passed:
			fmt.Fprintf(out, "%s\n    %s\n", place(m), m.Source)
		}
		tried++
		if result != passed {
			killed++
		}
		if result == late {
			timeouts++
		}
	}
	if o.files.String() == "." {
		for _, k := range listed.unmet() {
			ok = false
			fmt.Fprintf(out, "%s lists what is not there:\n    %s\n    %s\n", equivalentFile, k.place, k.source)
		}
	}
	percent := 100.0
	if tried > 0 {
		percent = 100 * float64(killed) / float64(tried)
	}
	fmt.Fprintf(out, "%d of %d mutants are noticed: %.1f %% (%d by a time-out); %d more are equivalent; %s\n",
		killed, tried, percent, timeouts, excused, time.Since(began).Round(time.Second))
	if percent < o.least {
		ok = false
		fmt.Fprintf(out, "that is less than %g %%\n", o.least)
	}
	return ok, nil
}

// place is where a mutant is and what it changes.
func place(m Mutant) string {
	return fmt.Sprintf("%s:%d %s: %s", m.File, m.Line, m.Func, m.Change)
}
