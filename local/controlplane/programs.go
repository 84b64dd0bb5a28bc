package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are what is got together: found in one directory, downloaded, or built.
type programs struct {
	names    []string // of the files
	packages []string // of Go, one for each name
	cache    string   // the directory in our cache
}

var (
	controlPlane = programs{
		names:    []string{etcdName, apiServerName},
		packages: []string{"go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kube-apiserver"},
		cache:    "controlplane",
	}
	kubectlProgram = programs{
		names:    []string{kubectlName},
		packages: []string{"k8s.io/kubernetes/cmd/kubectl"},
		cache:    "kubectl",
	}
)

// String names the programs for a person.
func (p programs) String() string { return strings.Join(p.names, " and ") }

// existIn reports whether all of them are in a directory, and can be run.
func (p programs) existIn(dir string) bool {
	for _, name := range p.names {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// cacheVariable moves the user's cache directory.
const cacheVariable = "XDG_CACHE_HOME"

// cacheDir is where the programs that we download or build are kept.
func (p programs) cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory, in which %s are kept, %w; set one of them", p, err)
	}
	return filepath.Join(base, "qscaler", p.cache, KubernetesVersion), nil
}
