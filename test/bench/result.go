package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// result is one figure: how long something took, sample by sample.
type result struct {
	Name    string        `json:"name"`
	Samples int           `json:"samples"`
	P50     time.Duration `json:"p50_ns"`
	P99     time.Duration `json:"p99_ns"`
	Max     time.Duration `json:"max_ns"`
	// Ratio is P50 over the limit's, 1 for the limit itself.
	Ratio float64 `json:"ratio"`
}

func summarise(name string, took []time.Duration) result {
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[min(len(took)*percent/100, len(took)-1)] }
	return result{Name: name, Samples: len(took), P50: at(50), P99: at(99), Max: took[len(took)-1]}
}

func printTable(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tsamples\tp50\tp99\tmax\tp50 / limit")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%.2f\n", r.Name, r.Samples, r.P50.Round(10*time.Microsecond),
			r.P99.Round(10*time.Microsecond), r.Max.Round(10*time.Microsecond), r.Ratio)
	}
	return t.Flush()
}
