package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is one line of a table: a value in each of several runs, and how it compares to its limit.
type figure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Values are in the order in which they were measured; the table has the median and the spread.
	Values []float64 `json:"values"`
	// Ratio is the median of the value over the limit's of the same run; 0 where there is no limit.
	Ratio float64 `json:"ratio,omitempty"`
}

// Median, Min, P99 and Max are of the values.
func (f figure) Median() float64 { return percentile(f.Values, 50) }

func (f figure) Min() float64 { return slices.Min(f.Values) }

func (f figure) P99() float64 { return percentile(f.Values, 99) }

func (f figure) Max() float64 { return slices.Max(f.Values) }

const milliseconds = "ms"

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// collect adds a value to the figure of that name.
type collector struct{ figures []figure }

func (c *collector) add(name, unit string, value float64) {
	f := c.of(name)
	if f == nil {
		c.figures = append(c.figures, figure{Name: name, Unit: unit})
		f = &c.figures[len(c.figures)-1]
	}
	f.Values = append(f.Values, value)
}

// took adds a length of time.
func (c *collector) took(name string, d time.Duration) { c.add(name, milliseconds, inMilliseconds(d)) }

// limit has a figure compared with its limit, run by run.
func (c *collector) limit(name, limit string) error {
	f, l := c.of(name), c.of(limit)
	if f == nil || l == nil {
		return fmt.Errorf("%q or its limit %q was not measured", name, limit)
	}
	var ratios []float64
	for i := range min(len(f.Values), len(l.Values)) {
		if l.Values[i] > 0 {
			ratios = append(ratios, f.Values[i]/l.Values[i])
		}
	}
	f.Ratio = percentile(ratios, 50)
	return nil
}

// of is the figure of that name, nil where there is none.
func (c *collector) of(name string) *figure {
	at := slices.IndexFunc(c.figures, func(f figure) bool { return f.Name == name })
	if at < 0 {
		return nil
	}
	return &c.figures[at]
}

// percentile is the value that so many percent of the values do not exceed; 0 of none.
func percentile(values []float64, percent int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

func printTable(w io.Writer, title string, figures []figure) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s\tn\tmedian\tmin\tp99\tmax\tunit\tof its limit\n", title)
	for _, f := range figures {
		ratio := ""
		if f.Ratio > 0 {
			ratio = fmt.Sprintf("x %.2f", f.Ratio)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, len(f.Values), short(f.Median()),
			short(f.Min()), short(f.P99()), short(f.Max()), f.Unit, ratio)
	}
	return t.Flush()
}

// short is a number in as many digits as mean something.
func short(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
