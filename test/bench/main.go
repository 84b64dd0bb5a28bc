// Command bench measures the figures of docs/benchmarks.md, each beside its limit in the same run, on a real
// API server and a real Redis of its own.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	samples := flag.Int("samples", 200, "samples of each figure, 10 or more")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *samples, *asJSON)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, samples int, asJSON bool) error {
	if samples < 10 {
		return fmt.Errorf("-samples is %d; it must be 10 or more", samples)
	}
	s, err := newStand(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	results, err := pushToPod(ctx, s, samples)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(results)
	}
	return printTable(os.Stdout, results)
}
