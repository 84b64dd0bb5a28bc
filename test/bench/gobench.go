package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// goBenchmarks is what is measured inside of one process: Go benchmarks of one package.
type goBenchmarks struct {
	// module is the folder of the package's module, pkg the package there.
	module, pkg string
	pattern     string
	// limits has, by a benchmark's name and unit, those of its limit.
	limits map[string]string
}

// sdk is the SDK with an empty handler beside bare commands of the same protocol, the time from a push to a handler
// beside a PING, and an idle worker.
var sdk = goBenchmarks{
	module: "worker", pkg: ".", pattern: "EmptyHandler|RawCommands|PushToHandler|Idle",
	limits: map[string]string{
		"EmptyHandler/concurrency=1, tasks/s":    "RawCommands, tasks/s",
		"EmptyHandler/concurrency=10, tasks/s":   "RawCommands, tasks/s",
		"EmptyHandler/concurrency=100, tasks/s":  "RawCommands, tasks/s",
		"EmptyHandler/concurrency=1000, tasks/s": "RawCommands, tasks/s",
		"PushToHandler, p50-µs":                  "PushToHandler, ping-p50-µs",
	},
}

// reading is one batched reading of 1000 queues beside the same commands of a bare client.
var reading = goBenchmarks{
	module: ".", pkg: "./internal/broker/redis", pattern: "Depths",
	limits: map[string]string{"Depths/driver, ns/op": "Depths/limit, ns/op"},
}

// deciding is a plan of fleets of three sizes.
var deciding = goBenchmarks{module: ".", pkg: "./internal/planner", pattern: "Plan"}

// run runs the benchmarks as often as a figure is measured: all of them each time, so that a figure and its limit are of
// one moment of a machine that is not always as fast.
func (g goBenchmarks) run(ctx context.Context, _ *stand, o options) ([]figure, error) {
	c := &collector{}
	for range o.runs {
		command := exec.CommandContext(ctx, "go", "-C", g.module, "test", g.pkg, "-run", "^$", "-bench", g.pattern)
		out, err := command.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("running %s, %w\n%s", command, err, out)
		}
		if err := c.readBenchmarks(bytes.NewReader(out)); err != nil {
			return nil, err
		}
	}
	for name, limit := range g.limits {
		if err := c.limit(name, limit); err != nil {
			return nil, err
		}
	}
	return c.figures, nil
}

// processors is what the testing package adds to a benchmark's name.
var processors = regexp.MustCompile(`-\d+$`)

// readBenchmarks adds what `go test -bench` has written to the figures, one for each benchmark and unit. Where a
// benchmark has units of its own, the time per operation says the same in another way and is left out.
func (c *collector) readBenchmarks(output io.Reader) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		own := len(fields) > 5 && !strings.HasSuffix(fields[5], "/op")
		for i := 2; i+1 < len(fields); i += 2 { // the name and the number of operations come first
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%q is no benchmark's line, %w", lines.Text(), err)
			}
			if unit := fields[i+1]; unit != "ns/op" || !own {
				c.add(name+", "+unit, unit, value)
			}
		}
	}
	return lines.Err()
}
