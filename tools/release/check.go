package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// consumer is a program of somebody else, which imports what is meant for others.
//
//go:embed testdata/consumer/main.go
var consumer []byte

// programs are what go install must be able to install.
var programs = []string{root + "/cmd/qscaler", root + "/cmd/qscaler-local"}

// check uses a release as strangers will.
func check(ctx context.Context, dir, version string) error {
	changelog, err := os.ReadFile(filepath.Join(dir, changelogFile))
	if err != nil {
		return err
	}
	if err := errors.Join(hasEntry(string(changelog), version), requires(ctx, dir, version)); err != nil {
		return fmt.Errorf("this is not the release; run make release VERSION=%s, and commit it:\n%w", version, err)
	}
	scratch, err := os.MkdirTemp("", "qscaler-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	repository, err := publish(ctx, dir, version, scratch)
	if err != nil {
		return err
	}
	if err := repository.hasSums(ctx, version); err != nil {
		return err
	}
	if err := repository.consume(ctx, version, filepath.Join(scratch, "consumer")); err != nil {
		return err
	}
	fmt.Printf("go get %s@%s and %s@%s: a program that imports them compiles\n", root, version, worker, version)
	return repository.install(ctx, version, filepath.Join(scratch, "bin"))
}

// requires makes sure that go.mod needs nothing that strangers do not have.
func requires(ctx context.Context, dir, version string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir = dir
	answer, err := output(cmd)
	if err != nil {
		return err
	}
	var mod struct {
		Require          []struct{ Path, Version string }
		Replace, Exclude []any
	}
	if err := json.Unmarshal([]byte(answer), &mod); err != nil {
		return fmt.Errorf("reading go.mod, %w", err)
	}
	var wrong []error
	if len(mod.Replace)+len(mod.Exclude) > 0 {
		wrong = append(wrong, errors.New("go.mod replaces or excludes modules, and go install refuses such a module"))
	}
	for _, required := range mod.Require {
		if required.Path == worker && required.Version != version {
			wrong = append(wrong, fmt.Errorf("go.mod requires %s %s, and not %s", worker, required.Version, version))
		}
	}
	return errors.Join(wrong...)
}

// hasSums makes sure that go.sum knows worker/ as it is, or nobody could build a checkout of the tag.
func (r *repository) hasSums(ctx context.Context, version string) error {
	sums, err := r.sumsOfWorker(ctx, version)
	if err != nil {
		return err
	}
	known, err := os.ReadFile(filepath.Join(r.source, "go.sum"))
	if err != nil {
		return err
	}
	for _, sum := range sums {
		if !strings.Contains(string(known), sum) {
			return fmt.Errorf("go.sum does not have %q: worker/ has changed since it was written", strings.TrimSpace(sum))
		}
	}
	return nil
}

// consume makes a module that gets both by their versions, and compiles it.
func (r *repository) consume(ctx context.Context, version, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), consumer, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "example.com/consumer"},
		{"get", root + "/api/v1alpha1@" + version, worker + "@" + version},
		// Trimmed, what is compiled does not depend on the directory, and the next run need not do it again.
		{"build", "-trimpath", "-o", os.DevNull, "."},
	} {
		if _, err := r.run(ctx, dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// install installs the programs, which say the version that they are.
func (r *repository) install(ctx context.Context, version, bin string) error {
	r.env = append(r.env, "GOBIN="+bin)
	for _, program := range programs {
		if _, err := r.run(ctx, filepath.Dir(bin), "install", program+"@"+version); err != nil {
			return err
		}
		said, err := output(exec.CommandContext(ctx, filepath.Join(bin, path.Base(program)), "--version"))
		if err != nil {
			return err
		}
		if !strings.HasSuffix(said, " "+version) {
			return fmt.Errorf("%s --version says %q, and not %s", path.Base(program), said, version)
		}
		fmt.Printf("go install %s@%s: it says %q\n", program, version, said)
	}
	return nil
}
