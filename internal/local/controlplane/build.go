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

// modules are the go.mod and go.sum of the modules in which the programs are built, under names that do not
// make them modules of this repository: the product must not depend on k8s.io/kubernetes, and an embedded
// file must be of the module that embeds it. They fix every version. `go get` and `go mod tidy` on a copy,
// with a file that imports the program's package, make them anew.
//
//go:embed build
var modules embed.FS

// source is how a program is built.
type source struct {
	program string // its file name
	module  string // the name of its files in modules
	pkg     string
	ldflags string
}

func sources() []source {
	const component = " -X k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return []source{
		{program: etcdName, module: "etcd", pkg: "go.etcd.io/etcd/server/v3", ldflags: "-s -w"},
		{
			program: apiServerName, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver",
			ldflags: "-s -w" + component + "gitVersion=" + KubernetesVersion + component + "gitMajor=" + major + component + "gitMinor=" + minor,
		},
	}
}

// build builds both programs.
func build(ctx context.Context, into string, progress Progress) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("it needs Go: https://go.dev/doc/install")
	}
	for _, s := range sources() {
		if err := s.build(ctx, into, progress); err != nil {
			return fmt.Errorf("building %s: %w", s.program, err)
		}
	}
	return nil
}

func (s source) build(ctx context.Context, into string, progress Progress) error {
	dir, err := os.MkdirTemp("", "qscaler-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, kind := range []string{"mod", "sum"} {
		data, err := modules.ReadFile("build/" + s.module + "." + kind)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "go."+kind), data, 0o600); err != nil {
			return err
		}
	}
	progress("building %s from source: fetching its modules", s.program)
	stale, err := s.stale(ctx, dir)
	if err != nil {
		return err
	}
	progress("building %s from source: %d packages to compile", s.program, stale)
	counter := newCounter(s.program, stale, progress)
	defer counter.stop()
	_, err = goTool(ctx, dir, counter, "build", "-v", "-o", filepath.Join(into, s.program), "-ldflags", s.ldflags, s.pkg)
	return err
}

// stale is how many packages are not in Go's build cache.
func (s source) stale(ctx context.Context, dir string) (int, error) {
	out, err := goTool(ctx, dir, nil, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", s.pkg)
	return bytes.Count(out, []byte("\n")), err
}

// goTool runs the go command in a module of its own. Lines of stderr go to the counter; it returns stdout.
func goTool(ctx context.Context, dir string, c *counter, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir, "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
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
