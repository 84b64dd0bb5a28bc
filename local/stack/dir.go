package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/quickube/qscaler/local/process"
)

// The parts of the state directory.
const (
	planeDir    = "controlplane"
	brokerDir   = "broker"
	nodeDir     = "node"
	operatorDir = "operator"
	binDir      = "bin"
	nodeLog     = "node.log"
	lockName    = "qscaler-local.lock"
)

// parts are what local mode writes to the state directory, and removes, each after those that use it.
var parts = []string{operatorDir, nodeDir, brokerDir, planeDir, binDir, nodeLog}

// DefaultDir is where a command of local mode keeps its state while it runs. It is the same each time, so
// that a start finds what a killed run has left.
func DefaultDir(command string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory, in which the state is kept, %w; give --dir, or set one of them", err)
	}
	return filepath.Join(cache, "qscaler", "local", command), nil
}

// refuseForeign refuses a directory in which there is what local mode has not made. Where its lock file is, the parts are
// its own too.
func refuseForeign(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a predecessor has just removed it
	}
	if err != nil {
		return unwritable(dir, err)
	}
	ours := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == lockName && e.Type().IsRegular() })
	for _, entry := range entries {
		if name := entry.Name(); !ours || name != lockName && !slices.Contains(parts, name) {
			return fmt.Errorf("%s has %s in it, which is not of local mode, and local mode removes its directory; "+
				"give --dir a directory that is empty, or that does not exist", dir, name)
		}
	}
	return nil
}

// removeLeftovers ends the processes that a killed predecessor has left, and removes its files. It returns
// the names of those processes.
func removeLeftovers(dir string) ([]string, error) {
	var ended []string
	for _, part := range parts {
		records := filepath.Join(dir, part, "processes")
		if _, err := os.Stat(records); err != nil {
			continue
		}
		launcher, names, err := process.NewLauncher(records)
		if err != nil {
			return nil, err
		}
		launcher.Close()
		ended = append(ended, names...)
	}
	return ended, removeParts(dir)
}

func removeParts(dir string) error {
	var errs []error
	for _, part := range parts {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, part)))
	}
	return errors.Join(errs...)
}
