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
//	result.go     figures, tables and JSON
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
	sizes    []int
	json     bool
}

// measure is one thing that can be measured. Each has a stand of its own.
type measure struct {
	name string
	run  func(context.Context, *stand, options) ([]figure, error)
}

func measures() []measure {
	return []measure{
		{"latency", pushToPod},
		{"polling", pushToPodPolled},
		{"burst", burst},
		{"leave", leave},
		{"rollout", rollout},
		{"idle", idle},
		{"storm", storm},
	}
}

func main() {
	o := options{sizes: []int{10, 100, 1000, 10000}}
	flag.StringVar(&o.operator, "operator", "bin/qscaler", "path of the operator's program")
	flag.IntVar(&o.samples, "samples", 200, "samples of each latency, 10 or more")
	flag.IntVar(&o.runs, "runs", 5, "runs of each figure, 1 or more")
	flag.IntVar(&o.pods, "pods", 1000, "pods of a large fleet, 10 or more")
	flag.Func("sizes", "numbers of idle QWorkers, separated by commas (default 10,100,1000,10000)", o.setSizes)
	flag.BoolVar(&o.json, "json", false, "print JSON instead of tables")
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
	for _, m := range measures() {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		figures, err := stage(ctx, m, o)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if o.json {
			err = json.NewEncoder(os.Stdout).Encode(map[string]any{"measure": m.name, "figures": figures})
		} else {
			err = printTable(os.Stdout, m.name, figures)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func stage(ctx context.Context, m measure, o options) ([]figure, error) {
	s, err := newStand(ctx, o.operator)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return m.run(ctx, s, o)
}

func (o *options) setSizes(list string) error {
	o.sizes = nil
	for item := range strings.SplitSeq(list, ",") {
		var n int
		if _, err := fmt.Sscan(item, &n); err != nil || n < 1 {
			return fmt.Errorf("%q is no number of QWorkers", item)
		}
		o.sizes = append(o.sizes, n)
	}
	return nil
}
