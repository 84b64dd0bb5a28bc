package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/quickube/qscaler/local/controlplane"
)

// machineHere says on what is measured: the hardware and the versions of all that takes part.
func machineHere(ctx context.Context) string {
	parts := []string{fmt.Sprintf("%d cores of %s", runtime.NumCPU(), cpuModel())}
	if kib, ok := procField("/proc/meminfo", "MemTotal"); ok {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(kib, " kB"), 64); err == nil {
			parts = append(parts, fmt.Sprintf("%.0f GiB", n/(1<<20)))
		}
	}
	parts = append(parts, runtime.GOOS+"/"+runtime.GOARCH, runtime.Version())
	if paths, err := controlplane.Find(); err == nil {
		parts = append(parts, version(ctx, paths.APIServer), version(ctx, paths.Etcd)+" (no fsync)")
	}
	parts = append(parts, version(ctx, "redis-server"))
	return strings.Join(parts, ", ") + "; all of it, and the benchmark, on the same cores"
}

func cpuModel() string {
	model, ok := procField("/proc/cpuinfo", "model name")
	if !ok {
		return "an unknown model"
	}
	return model
}

// procField is the first value of a name in a file of the kernel's.
func procField(path, name string) (value string, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+`)

// version is a program's name and version.
func version(ctx context.Context, program string) string {
	out, _ := exec.CommandContext(ctx, program, "--version").Output() // without an answer there is no number
	return strings.TrimSpace(filepath.Base(program) + " " + string(versionNumber.Find(out)))
}

// commitHere is what is measured.
func commitHere(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	commit := strings.TrimSpace(string(out))
	if changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs").Output(); err != nil || len(changes) > 0 {
		commit += " with uncommitted changes"
	}
	return commit
}
