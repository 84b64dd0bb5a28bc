//go:build unix

package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps a state directory to one stack. The kernel lets go of it with its holder, however that ends.
type lock struct {
	dir  string
	file *os.File
}

// takeLock makes the directory and locks it. It does not wait.
func takeLock(dir string) (*lock, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, lockName)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // a predecessor has just removed the directory
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s is in use by another qscaler-local; end that one first, or give --dir", dir)
			}
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if isStill(path, file) {
			return &lock{dir: dir, file: file}, nil
		}
		_ = file.Close() // the predecessor removed the file between our opening and our locking it
	}
}

func isStill(path string, file *os.File) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	ours, err := file.Stat()
	return err == nil && os.SameFile(there, ours)
}

// release removes the directory, and the directories above it that were made for it, and lets go.
func (l *lock) release() error {
	defer func() { _ = l.file.Close() }()
	if err := os.RemoveAll(l.dir); err != nil {
		return err
	}
	for _, above := range []string{filepath.Dir(l.dir), filepath.Dir(filepath.Dir(l.dir))} {
		if base := filepath.Base(above); base != "local" && base != "qscaler" {
			break
		}
		_ = os.Remove(above) // fails where something else is in it
	}
	return nil
}
