package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/quickube/qscaler/local/process"
)

// operatorProcess is the program that is shipped, as a process.
type operatorProcess struct {
	argv     []string
	dir      string
	launcher *process.Launcher
	process  *process.Process
	metrics  string // URL
}

func newOperatorProcess(program, dir, kubeconfig string) (*operatorProcess, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w; build it with: make build", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		return nil, err
	}
	profiles := os.Getenv("BENCH_PPROF_ADDRESS") // to look into the operator while it is measured
	if profiles == "" {
		profiles = "0"
	}
	return &operatorProcess{
		dir: dir, launcher: launcher, metrics: "http://" + address + "/metrics",
		argv: []string{
			program, "--kubeconfig", kubeconfig, "--leader-elect=false", "--log-level=warn", "--log-format=text",
			"--open-metrics", "--metrics-bind-address", address, "--health-probe-bind-address=0", "--pprof-bind-address", profiles,
		},
	}, nil
}

// start starts the operator and returns when it serves its metrics.
func (o *operatorProcess) start(ctx context.Context) (err error) {
	o.process, err = o.launcher.Start(process.Command{
		Name: "operator", Argv: o.argv, Env: os.Environ(), Dir: o.dir, Log: filepath.Join(o.dir, "operator.log"),
	})
	if err != nil {
		return err
	}
	for {
		if _, err := o.read(ctx); err == nil {
			return nil
		}
		select {
		case <-o.process.Done():
			log, _ := os.ReadFile(filepath.Join(o.dir, "operator.log"))
			return fmt.Errorf("the operator ended: %s", log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (o *operatorProcess) stop() error {
	const grace = 20 * time.Second
	return o.process.Stop(grace)
}

func (o *operatorProcess) close() {
	_ = o.stop()
	o.launcher.Close()
}

// usage is what the operator has used since its start, and what it uses now.
type usage struct {
	at            time.Time
	cpu           time.Duration
	rss           float64 // bytes
	allocated     float64 // bytes
	apiReads      float64
	apiWrites     float64
	reconciled    float64
	qworkersKnown int
}

// read asks the operator for its metrics.
func (o *operatorProcess) read(ctx context.Context) (usage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.metrics, nil)
	if err != nil {
		return usage{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return usage{}, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return usage{}, err
	}
	u := usage{at: time.Now()}
	u.cpu, u.rss, err = o.resources()
	for _, m := range families["rest_client_requests_total"].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() != "method" {
				continue
			}
			if label.GetValue() == http.MethodGet {
				u.apiReads += m.GetCounter().GetValue()
			} else {
				u.apiWrites += m.GetCounter().GetValue()
			}
		}
	}
	for _, m := range families["go_memstats_alloc_bytes_total"].GetMetric() {
		u.allocated += m.GetCounter().GetValue()
	}
	for _, m := range families["controller_runtime_reconcile_total"].GetMetric() {
		u.reconciled += m.GetCounter().GetValue()
	}
	known := map[string]bool{}
	for _, m := range families["qscaler_qworker_messages"].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "qworker" {
				known[label.GetValue()] = true
			}
		}
	}
	u.qworkersKnown = len(known)
	return u, err
}

// resources are the processor time and the resident memory of the process, by the kernel.
func (o *operatorProcess) resources() (cpu time.Duration, rss float64, err error) {
	dir := fmt.Sprintf("/proc/%d/", o.process.PID())
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return 0, 0, err
	}
	_, after, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	const utime, stime = 11, 12 // fields 14 and 15 of proc(5), without the first two
	if !ok || len(fields) <= stime {
		return 0, 0, errors.New("the kernel's account of the operator cannot be read")
	}
	const ticksPerSecond = 100
	var ticks int64
	for _, field := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		ticks += n
	}
	rss, err = residentMemory(dir + "status")
	return time.Duration(ticks) * time.Second / ticksPerSecond, rss, err
}

func residentMemory(path string) (float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("the kernel does not tell the operator's memory")
}
