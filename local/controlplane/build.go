package controlplane

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is the go.mod and go.sum of the module in which the programs are built, under names that do not make it
// a module of this repository: the product must not depend on k8s.io/kubernetes, and an embedded file must be of
// the module that embeds it. It fixes every version. `go get` and `go mod tidy` on a copy, with a file that
// imports the programs' packages, make it anew.
//
//go:embed build/controlplane.mod build/controlplane.sum
var module embed.FS

// etcdBuilt is what Go calls etcd: it names a program after the last part of its package's path that is no version.
const etcdBuilt = "server"

// CompilerFlags leave out what only debuggers read, which is a quarter of a compiler's work. The Makefile has the same, or
// what the product and the control plane share would be compiled twice.
const CompilerFlags = "-gcflags=all=-dwarf=false"

// linkerFlags leave out what only debuggers read, and say the version that the API server answers with.
func linkerFlags() string {
	const component = " -X k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return "-s -w" + component + "gitVersion=" + KubernetesVersion + component + "gitMajor=" + major + component + "gitMinor=" + minor
}

// build builds the programs in one go, so that what they share is compiled once.
func (p programs) build(ctx context.Context, into string, progress Progress) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("it needs Go: https://go.dev/doc/install")
	}
	dir, err := os.MkdirTemp("", "qscaler-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, kind := range []string{"mod", "sum"} {
		data, err := module.ReadFile("build/controlplane." + kind)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "go."+kind), data, 0o600); err != nil {
			return err
		}
	}
	progress("building %s from source: fetching modules", p)
	stale, err := stalePackages(ctx, dir, p.packages)
	if err != nil {
		return err
	}
	progress("building %s from source: %d packages to compile", p, stale)
	counter := newCounter(p, stale, progress)
	defer counter.stop()
	flags := []string{"build", "-v", "-o", into + string(filepath.Separator), CompilerFlags, "-ldflags", linkerFlags()}
	if _, err = goTool(ctx, dir, counter, append(flags, p.packages...)...); err != nil {
		return err
	}
	if !slices.Contains(p.names, etcdName) {
		return nil
	}
	return os.Rename(filepath.Join(into, etcdBuilt), filepath.Join(into, etcdName))
}

// stalePackages is how many packages are not in Go's build cache.
func stalePackages(ctx context.Context, dir string, packages []string) (int, error) {
	flags := []string{"list", CompilerFlags, "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}
	out, err := goTool(ctx, dir, nil, append(flags, packages...)...)
	return bytes.Count(out, []byte("\n")), err
}

// goTool runs the go command in a module of its own. Lines of stderr go to the counter; it returns stdout.
func goTool(ctx context.Context, dir string, c *counter, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	if os.Getenv("GOGC") == "" {
		cmd.Env = append(cmd.Env, "GOGC=400") // for the compilers: a tenth less processor time, for some hundred MB
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its compilers
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr := &lines{each: func(string) {}}
	if c != nil {
		stderr.each = c.line
	}
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running go %s, %w\n%s", args[0], err, stderr.tail())
	}
	return stdout.Bytes(), nil
}
