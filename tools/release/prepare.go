package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// prepare makes the files of a directory those of a release. The root requires the worker of the same version, by sums
// that go.sum must have before that version is published; they are those of worker/ as it is here.
func prepare(ctx context.Context, dir, version, date string) error {
	changelog := filepath.Join(dir, changelogFile)
	text, err := os.ReadFile(changelog)
	if err != nil {
		return err
	}
	released, err := cut(string(text), version, date)
	if err != nil {
		return err
	}
	sums, err := sumsOfWorker(ctx, dir, version)
	if err != nil {
		return err
	}
	known, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), []byte(withSums(string(known), sums)), 0o644); err != nil {
		return err
	}
	edit := exec.CommandContext(ctx, "go", "mod", "edit", "-dropreplace="+worker, "-require="+worker+"@"+version)
	edit.Dir = dir
	if _, err := output(edit); err != nil {
		return err
	}
	return os.WriteFile(changelog, []byte(released), 0o644)
}

// sumsOfWorker are the lines of go.sum for worker/ as it is in a directory.
func sumsOfWorker(ctx context.Context, dir, version string) (sums []string, err error) {
	scratch, err := os.MkdirTemp("", "qscaler-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	repository, err := publish(ctx, dir, version, scratch)
	if err != nil {
		return nil, err
	}
	return repository.sumsOfWorker(ctx, version)
}

func (r *repository) sumsOfWorker(ctx context.Context, version string) ([]string, error) {
	answer, err := r.run(ctx, filepath.Dir(r.source), "mod", "download", "-json", worker+"@"+version)
	if err != nil {
		return nil, err
	}
	var module struct{ Sum, GoModSum string }
	if err := json.Unmarshal([]byte(answer), &module); err != nil {
		return nil, fmt.Errorf("reading what go mod download says of %s, %w", worker, err)
	}
	return []string{
		fmt.Sprintf("%s %s %s\n", worker, version, module.Sum),
		fmt.Sprintf("%s %s/go.mod %s\n", worker, version, module.GoModSum),
	}, nil
}

// withSums is a go.sum with other lines for the worker, where go mod tidy would put them.
func withSums(known string, sums []string) string {
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(known)), func(line string) bool {
		return strings.HasPrefix(line, worker+" ")
	})
	at := slices.IndexFunc(lines, func(line string) bool { return line > worker+" " })
	if at < 0 {
		at = len(lines)
	}
	return strings.Join(slices.Insert(lines, at, sums...), "")
}
