package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Progress gets lines for a person who waits.
type Progress func(format string, args ...any)

// Binaries finds the programs, as Find does, or else downloads them, or else builds them from source. Both are
// kept in the user's cache directory.
func Binaries(ctx context.Context, progress Progress) (Paths, error) {
	return fetcher{progress: progress, steps: []step{
		{"a download", envtest().fetch},
		{"a build from source", build},
	}}.binaries(ctx)
}

// Build builds the programs from source into the user's cache directory, where they are not there yet.
func Build(ctx context.Context, progress Progress) (Paths, error) {
	return fetcher{progress: progress, steps: []step{{"a build from source", build}}}.fetch(ctx)
}

// step is one way to get the programs into a directory.
type step struct {
	name string
	run  func(ctx context.Context, into string, progress Progress) error
}

type fetcher struct {
	progress Progress
	steps    []step // tried in order
}

func (f fetcher) binaries(ctx context.Context) (Paths, error) {
	p, err := Find()
	if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	return f.fetch(ctx)
}

// fetch fills the cache. The programs appear there complete or not at all, and one process does it at a
// time: the others wait for it.
func (f fetcher) fetch(ctx context.Context) (Paths, error) {
	dir, err := cacheDir()
	if err != nil {
		return Paths{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return Paths{}, err
	}
	lock, err := f.await(ctx, dir+".lock")
	if err != nil {
		return Paths{}, err
	}
	defer func() { _ = lock.Close() }()
	if p := pathsIn(dir); p.exist() {
		return p, nil
	}
	var failures []error
	for _, s := range f.steps {
		err := install(ctx, dir, s, f.progress)
		if err == nil {
			return pathsIn(dir), nil
		}
		if ctx.Err() != nil {
			return Paths{}, ctx.Err()
		}
		f.progress("%s failed: %v", s.name, err)
		failures = append(failures, fmt.Errorf("%s, %w", s.name, err))
	}
	return Paths{}, fmt.Errorf("getting etcd and kube-apiserver, %w", errors.Join(failures...))
}

// install runs the step in a directory beside the final one, and gives it its name when it is complete.
func install(ctx context.Context, dir string, s step, progress Progress) error {
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err := s.run(ctx, temporary, progress); err != nil {
		return err
	}
	if !pathsIn(temporary).exist() {
		return errors.New("it did not yield both programs")
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil { // incomplete, or we would not be here
		return err
	}
	return os.Rename(temporary, dir)
}

// await takes the lock, and says so when another process has it.
func (f fetcher) await(ctx context.Context, path string) (*os.File, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; told = true {
		lock, err := lockFile(path)
		if err == nil || !errors.Is(err, errLocked) {
			return lock, err
		}
		if !told {
			f.progress("waiting for another process that gets etcd and kube-apiserver")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
