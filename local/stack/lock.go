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
	// made tells that local mode made the directory, so that it may remove it.
	made bool
}

// madeByUs is what is in the lock file of a directory that local mode has made. A killed run leaves it there.
const madeByUs = "made by qscaler-local, and removed with all of its parts\n"

// takeLock makes the directory and locks it. It does not wait. It refuses a directory in which there is anything that
// local mode has not made: the parts of local mode are removed at the start and at the end.
func takeLock(dir string) (*lock, error) {
	for {
		made, err := makeDir(dir)
		if err != nil {
			return nil, unwritable(dir, err)
		}
		if err := refuseForeign(dir); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, lockName)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // a predecessor has just removed the directory
		}
		if err != nil {
			return nil, unwritable(dir, err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s is in use by another qscaler-local; end that one first, or give --dir", dir)
			}
			return nil, fmt.Errorf("locking %s, %w", path, err)
		}
		if !isStill(path, file) {
			_ = file.Close() // the predecessor removed the file between our opening and our locking it
			continue
		}
		l := &lock{dir: dir, file: file, made: made}
		if err := l.noteMade(); err != nil {
			_ = file.Close()
			return nil, err
		}
		return l, nil
	}
}

// unwritable says what to do where the state cannot be kept.
func unwritable(dir string, err error) error {
	return fmt.Errorf("the state cannot be kept in %s, %w; give --dir a directory that can be written, or set XDG_CACHE_HOME to one", dir, err)
}

// makeDir makes the directory, and tells whether it was not there.
func makeDir(dir string) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return false, err
	}
	if err := os.Mkdir(dir, 0o700); !errors.Is(err, os.ErrExist) {
		return err == nil, err
	}
	return false, nil
}

// noteMade writes to the lock file who made the directory, or reads it there.
func (l *lock) noteMade() error {
	if l.made {
		_, err := l.file.WriteString(madeByUs)
		return err
	}
	text, err := os.ReadFile(l.file.Name())
	l.made = string(text) == madeByUs
	return err
}

func isStill(path string, file *os.File) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	ours, err := file.Stat()
	return err == nil && os.SameFile(there, ours)
}

// release removes what local mode has made: its parts, the directory, and the directories above it that were made for
// it. What somebody else has put there stays.
func (l *lock) release() error {
	defer func() { _ = l.file.Close() }()
	if err := removeParts(l.dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(l.dir, lockName)); err != nil {
		return err
	}
	if !l.made {
		return nil
	}
	if err := os.Remove(l.dir); err != nil {
		return nil //nolint:nilerr // something else is in it
	}
	for _, above := range []string{filepath.Dir(l.dir), filepath.Dir(filepath.Dir(l.dir))} {
		if base := filepath.Base(above); base != "local" && base != "qscaler" {
			break
		}
		_ = os.Remove(above) // fails where something else is in it
	}
	return nil
}
