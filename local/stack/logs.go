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
	files := []string{s.subdir(filepath.Join(operatorDir, "operator.log")), s.subdir("node.log"), s.subdir(filepath.Join(planeDir, "kube-apiserver.log"))}
	brokerLogs, globErr := filepath.Glob(s.subdir(filepath.Join(brokerDir, "*.log")))
	errs := []error{globErr}
	for _, file := range append(files, brokerLogs...) {
		data, err := os.ReadFile(file)
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
