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
	"strings"
)

// module is the go.mod and go.sum of the module in which the programs are built, under names that do not make it
// a module of this repository: the product must not depend on k8s.io/kubernetes, and an embedded file must be of
// the module that embeds it. It fixes every version. `go get` and `go mod tidy` on a copy, with a file that
// imports the programs' packages, make it anew.
//
//go:embed build/controlplane.mod build/controlplane.sum
var module embed.FS

// The packages of the programs. Go names the file of a program after the last part of its package's path that
// is no version.
const (
	etcdPackage      = "go.etcd.io/etcd/server/v3"
	etcdBuilt        = "server"
	apiServerPackage = "k8s.io/kubernetes/cmd/kube-apiserver"
)

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

// build builds both programs in one go, so that what they share is compiled once.
func build(ctx context.Context, into string, progress Progress) error {
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
	progress("building etcd and kube-apiserver from source: fetching their modules")
	stale, err := stalePackages(ctx, dir)
	if err != nil {
		return err
	}
	progress("building etcd and kube-apiserver from source: %d packages to compile", stale)
	counter := newCounter(stale, progress)
	defer counter.stop()
	_, err = goTool(ctx, dir, counter, "build", "-v", "-o", into+string(filepath.Separator), CompilerFlags, "-ldflags", linkerFlags(),
		etcdPackage, apiServerPackage)
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(into, etcdBuilt), filepath.Join(into, etcdName))
}

// stalePackages is how many packages are not in Go's build cache.
func stalePackages(ctx context.Context, dir string) (int, error) {
	out, err := goTool(ctx, dir, nil, "list", CompilerFlags, "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", etcdPackage, apiServerPackage)
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
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.tail())
	}
	return stdout.Bytes(), nil
}
