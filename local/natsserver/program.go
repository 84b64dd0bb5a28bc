package natsserver

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Version is the version of the server that Program builds.
const Version = "v2.15.3"

// programName is the name of the program, in the PATH and in the cache.
const programName = "nats-server"

// packagePath is what is built.
const packagePath = "github.com/nats-io/nats-server/v2"

// module is the go.mod and go.sum of the module in which the server is built, under names that do not make it a module of
// this repository: nothing of the server gets into the product's go.mod. It fixes every version. `go get` on a copy makes
// it anew.
//
//go:embed build/natsserver.mod build/natsserver.sum
var module embed.FS

// Progress gets lines for a person who waits.
type Progress func(format string, args ...any)

// Program returns the path of nats-server: the one in the user's cache, which is built first where it is not there. That
// takes Go, and about a minute on two cores. One process builds at a time; the others wait for it.
func Program(ctx context.Context, progress Progress) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory, in which nats-server is kept, %w", err)
	}
	dir := filepath.Join(base, "qscaler", programName, Version)
	program := filepath.Join(dir, programName)
	if _, err := exec.LookPath(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("keeping nats-server in %s, %w; set XDG_CACHE_HOME to a directory that can be written", dir, err)
	}
	lock, err := lockFile(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if _, err := exec.LookPath(program); err == nil {
		return program, nil
	}
	progress("building nats-server %s from source", Version)
	if err := build(ctx, dir, program); err != nil {
		return "", fmt.Errorf("building nats-server from source, %w; it needs Go and its module proxy", err)
	}
	return program, nil
}

// lockFile takes a lock that ends with its holder, however that ends.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s, %w", path, err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s, %w", path, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		}
	}
}

// build builds the program beside its final place, and gives it its name when it is complete.
func build(ctx context.Context, dir, program string) error {
	temporary, err := os.MkdirTemp(dir, ".unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	for _, kind := range []string{"mod", "sum"} {
		data, err := module.ReadFile("build/natsserver." + kind)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(temporary, "go."+kind), data, 0o600); err != nil {
			return err
		}
	}
	built := filepath.Join(temporary, programName)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", built, "-gcflags=all=-dwarf=false", "-ldflags", "-s -w", packagePath)
	cmd.Dir = temporary
	cmd.Env = append(os.Environ(), "PWD="+temporary, "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running go build, %w\n%s", err, bytes.TrimSpace(out))
	}
	return os.Rename(built, program)
}
