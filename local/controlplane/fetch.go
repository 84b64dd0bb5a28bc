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
	p, err := Find()
	if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	return fetchControlPlane(ctx, progress, step{"a download", envtest().fetch}, step{"a build from source", controlPlane.build})
}

// Build builds the programs from source into the user's cache directory, where they are not there yet.
func Build(ctx context.Context, progress Progress) (Paths, error) {
	return fetchControlPlane(ctx, progress, step{"a build from source", controlPlane.build})
}

func fetchControlPlane(ctx context.Context, progress Progress, steps ...step) (Paths, error) {
	dir, err := fetcher{programs: controlPlane, progress: progress, steps: steps}.fetch(ctx)
	if err != nil {
		return Paths{}, err
	}
	return pathsIn(dir), nil
}

// step is one way to get the programs into a directory.
type step struct {
	name string
	run  func(ctx context.Context, into string, progress Progress) error
}

type fetcher struct {
	programs programs
	progress Progress
	steps    []step // tried in order
}

// unwritable says what to do where the programs cannot be kept.
func (f fetcher) unwritable(dir string, err error) error {
	return fmt.Errorf("%s cannot be kept in %s, %w; set %s to a directory that can be written", f.programs, dir, err, cacheVariable)
}

// fetch fills the programs' cache, and returns its directory. The programs appear there complete or not at all, and one
// process does it at a time: the others wait for it.
func (f fetcher) fetch(ctx context.Context) (string, error) {
	dir, err := f.programs.cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", f.unwritable(dir, err)
	}
	lock, err := f.await(ctx, dir+".lock")
	if errors.Is(err, os.ErrPermission) {
		return "", f.unwritable(dir, err)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if f.programs.existIn(dir) {
		return dir, nil
	}
	var failures []error
	for _, s := range f.steps {
		err := f.install(ctx, dir, s)
		if err == nil {
			return dir, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		f.progress("%s failed: %v", s.name, err)
		failures = append(failures, fmt.Errorf("%s, %w", s.name, err))
	}
	return "", fmt.Errorf("getting %s, %w", f.programs, errors.Join(failures...))
}

// install runs the step in a directory beside the final one, and gives it its name when it is complete.
func (f fetcher) install(ctx context.Context, dir string, s step) error {
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }()
	if err := s.run(ctx, temporary, f.progress); err != nil {
		return err
	}
	if !f.programs.existIn(temporary) {
		return fmt.Errorf("it did not yield %s", f.programs)
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
			f.progress("waiting for another process that gets %s", f.programs)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
