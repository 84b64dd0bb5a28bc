package controlplane

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

const kubectlName = "kubectl"

// ErrNoKubectl means that kubectl is nowhere on this machine.
var ErrNoKubectl = errors.New("kubectl is not on this machine; install it (https://kubernetes.io/docs/tasks/tools/), or have it built: bin/qscaler-local setup --kubectl")

// FindKubectl looks for kubectl in the PATH, beside the API server, and in our cache, in that order.
func FindKubectl() (string, error) {
	if path, err := exec.LookPath(kubectlName); err == nil {
		return path, nil
	}
	var dirs []string
	if dir := os.Getenv(AssetsVariable); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, p := range []programs{controlPlane, kubectlProgram} { // a download has it beside the API server
		dir, err := p.cacheDir()
		if err != nil {
			return "", err
		}
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if kubectlProgram.existIn(dir) {
			return filepath.Join(dir, kubectlName), nil
		}
	}
	return "", ErrNoKubectl
}

// Kubectl finds kubectl, as FindKubectl does, or else builds it from source.
func Kubectl(ctx context.Context, progress Progress) (string, error) {
	path, err := FindKubectl()
	if !errors.Is(err, ErrNoKubectl) {
		return path, err
	}
	dir, err := fetcher{
		programs: kubectlProgram, progress: progress, steps: []step{{"a build from source", kubectlProgram.build}},
	}.fetch(ctx)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, kubectlName), nil
}
