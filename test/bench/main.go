// Command bench measures the figures of docs/benchmarks.md, each beside its limit in the same run, on a real
// API server and a real Redis of its own. The operator is a process of its own, the program that is shipped.
//
//	main.go       what is measured, and how often
//	stand.go      the control plane, Redis and the client
//	operator.go   the operator's process: CPU, memory, requests
//	node.go       the pods' node: it acknowledges them, and runs nothing
//	latency.go    push to pod
//	burst.go      0 -> 1000 pods
//	leave.go      1000 workers too many
//	rollout.go    1000 workers of a new revision
//	idle.go       10 to 10,000 QWorkers that have nothing to do
//	storm.go      1,000 of 10,000 queues at once
//	neighbours.go a quiet fleet beside slow ones
//	sizing.go     the usage of 10,000 pods; metricsserver.go tells it
//	firsttask.go  push to first task begun, in local mode
//	gobench.go    Go benchmarks: the SDK, a reading, a plan
//	result.go     figures and tables
//	record.go     docs/benchmarks.md and docs/benchmarks.json
//	machine.go    what it is measured on
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options are the command line.
type options struct {
	operator string
	samples  int
	runs     int
	pods     int
	sizes    sizes
	json     bool
	record   string
}

// measure is one thing that can be measured.
type measure struct {
	name string
	// alone measures bring what they stand on, and get no stand. Every other has one of its own.
	alone bool
	run   func(context.Context, *stand, options) ([]figure, error)
}

func measures() []measure {
	return []measure{
		{name: "latency", run: pushToPod},
		{name: "polling", run: pushToPodPolled},
		{name: "firsttask", run: firstTask, alone: true},
		{name: "burst", run: burst},
		{name: "leave", run: leave},
		{name: "rollout", run: rollout},
		{name: "idle", run: idle},
		{name: "storm", run: storm},
		{name: "neighbours", run: neighbours},
		{name: "sizing", run: sizing},
		{name: "sdk", run: sdk.run, alone: true},
		{name: "reading", run: reading.run, alone: true},
		{name: "deciding", run: deciding.run, alone: true},
	}
}

func main() {
	o := options{sizes: []int{10, 100, 1000, 10000}}
	flag.StringVar(&o.operator, "operator", "bin/qscaler", "path of the operator's program")
	flag.IntVar(&o.samples, "samples", 200, "samples of each latency, 10 or more")
	flag.IntVar(&o.runs, "runs", 5, "runs of each figure, 1 or more")
	flag.IntVar(&o.pods, "pods", 1000, "pods of a large fleet, 10 or more")
	flag.Var(&o.sizes, "sizes", "numbers of idle QWorkers, separated by commas")
	flag.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	flag.StringVar(&o.record, "record", "", "folder of benchmarks.md and benchmarks.json, to put the results there too (docs)")
	flag.Usage = printUsage
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, flag.Args(), o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func printUsage() {
	fmt.Fprintf(os.Stderr, "bench [flags] [measure...]\n\nmeasures, all of them by default: %s\n\n", strings.Join(names(), " "))
	flag.PrintDefaults()
}

func names() []string {
	var names []string
	for _, m := range measures() {
		names = append(names, m.name)
	}
	return names
}

func run(ctx context.Context, chosen []string, o options) error {
	if o.samples < 10 || o.runs < 1 || o.pods < 10 {
		return errors.New("-samples and -pods must be 10 or more, -runs 1 or more")
	}
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("there is no measure %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	machine, commit := machineHere(ctx), commitHere(ctx)
	for _, m := range measures() {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		figures, err := stage(ctx, m, o)
		if err != nil {
			return fmt.Errorf("%s, %w", m.name, err)
		}
		result := measured{Measure: m.name, Machine: machine, Commit: commit, Command: o.command(m.name), Figures: figures}
		if err := o.publish(result); err != nil {
			return err
		}
	}
	return nil
}

// publish prints a result, and records it where it is to be.
func (o *options) publish(result measured) error {
	if o.record != "" {
		if err := record(o.record, result); err != nil {
			return err
		}
	}
	if o.json {
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	return printTable(os.Stdout, result.Measure, result.Figures)
}

// command is what a reader types for the same measure.
func (o *options) command(measure string) string {
	var flags []string
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "record" && f.Name != "json" && f.Name != "operator" {
			flags = append(flags, "-"+f.Name+" "+f.Value.String())
		}
	})
	return fmt.Sprintf("make bench BENCH='%s'", strings.Join(append(flags, measure), " "))
}

func stage(ctx context.Context, m measure, o options) ([]figure, error) {
	if m.alone {
		return m.run(ctx, nil, o)
	}
	s, err := newStand(ctx, o.operator)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return m.run(ctx, s, o)
}

// sizes are numbers of QWorkers.
type sizes []int

func (s *sizes) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(*s)), ","), "[]")
}

// Set reads numbers that are separated by commas.
func (s *sizes) Set(list string) error {
	*s = nil
	for item := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(item)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of QWorkers", item)
		}
		*s = append(*s, n)
	}
	return nil
}
