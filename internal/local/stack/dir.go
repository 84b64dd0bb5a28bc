package stack

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/quickube/qscaler/internal/local/process"
)

// The parts of the state directory.
const (
	planeDir    = "controlplane"
	redisDir    = "redis"
	nodeDir     = "node"
	operatorDir = "operator"
	binDir      = "bin"
	lockName    = "lock"
)

// DefaultDir is where a command of local mode keeps its state while it runs. It is the same each time, so
// that a start finds what a killed run has left.
func DefaultDir(command string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "qscaler", "local", command), nil
}

// removeLeftovers ends the processes that a killed predecessor has left, and removes its files. It returns
// the names of those processes.
func removeLeftovers(dir string) ([]string, error) {
	var ended []string
	for _, part := range []string{operatorDir, nodeDir, redisDir, planeDir} { // users first
		records := filepath.Join(dir, part, "processes")
		if _, err := os.Stat(records); errors.Is(err, os.ErrNotExist) {
			continue
		}
		launcher, names, err := process.NewLauncher(records)
		if err != nil {
			return nil, err
		}
		launcher.Close()
		ended = append(ended, names...)
	}
	return ended, removeAllBut(dir, lockName)
}

func removeAllBut(dir, kept string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if entry.Name() != kept {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
