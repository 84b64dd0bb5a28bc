package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// KeepLogs copies the logs of the operator, the node and the workers into a new temporary directory, which
// outlives Stop, and returns it.
func (s *Stack) KeepLogs() (string, error) {
	kept, err := os.MkdirTemp("", "qscaler-logs-")
	if err != nil {
		return "", err
	}
	var errs []error
	for _, file := range []string{
		filepath.Join(operatorDir, "operator.log"), "node.log",
		filepath.Join(redisDir, "redis.log"), filepath.Join(planeDir, "kube-apiserver.log"),
	} {
		data, err := os.ReadFile(s.subdir(file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		errs = append(errs, err, os.WriteFile(filepath.Join(kept, filepath.Base(file)), data, 0o600))
	}
	workers := filepath.Join(s.subdir(nodeDir), "logs")
	errs = append(errs, os.CopyFS(filepath.Join(kept, "workers"), os.DirFS(workers)))
	if err := errors.Join(errs...); err != nil {
		return kept, fmt.Errorf("keeping the logs, %w", err)
	}
	return kept, nil
}
