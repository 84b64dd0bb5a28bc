package controlplane

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// Versions that are built when nothing is found.
const (
	KubernetesVersion = "v1.37.2"
	EtcdVersion       = "v3.7.3"
)

// The names of the programs, everywhere.
const (
	etcdName      = "etcd"
	apiServerName = "kube-apiserver"
)

// AssetsVariable names the directory of the programs, by the convention of controller-runtime's envtest.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// ErrNotFound means that the programs are nowhere on this machine.
var ErrNotFound = errors.New("etcd and kube-apiserver are not on this machine; `make test` and `qscaler-local setup` fetch or build them")

// Paths are the programs of a control plane.
type Paths struct {
	Etcd      string
	APIServer string
}

// Dir is the directory of the API server, for $KUBEBUILDER_ASSETS.
func (p Paths) Dir() string { return filepath.Dir(p.APIServer) }

func pathsIn(dir string) Paths {
	return Paths{Etcd: filepath.Join(dir, etcdName), APIServer: filepath.Join(dir, apiServerName)}
}

// Find looks for the programs in $KUBEBUILDER_ASSETS, the PATH, setup-envtest's store and our cache, in that
// order, and takes both from one place. It returns ErrNotFound when they are in none.
func Find() (Paths, error) {
	if dir := os.Getenv(AssetsVariable); dir != "" {
		p := pathsIn(dir)
		if !controlPlane.existIn(dir) { // a user who names a place wants no other
			return Paths{}, fmt.Errorf("$%s is %s, which has not both %s and %s", AssetsVariable, dir, etcdName, apiServerName)
		}
		return p, nil
	}
	cache, err := controlPlane.cacheDir()
	if err != nil {
		return Paths{}, err
	}
	for _, dir := range slices.Concat(filepath.SplitList(os.Getenv("PATH")), envtestStore(), []string{cache}) {
		if controlPlane.existIn(dir) {
			return pathsIn(dir), nil
		}
	}
	return Paths{}, ErrNotFound
}

// envtestStore are the directories of setup-envtest's store, the newest version first.
func envtestStore() []string {
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		data = filepath.Join(home, ".local", "share")
	}
	found, _ := filepath.Glob(filepath.Join(data, "kubebuilder-envtest", "k8s", "*-"+platform())) // the pattern is valid
	slices.SortFunc(found, func(a, b string) int { return compareVersions(storedVersion(b), storedVersion(a)) })
	return found
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }

func storedVersion(dir string) string { return strings.TrimSuffix(filepath.Base(dir), "-"+platform()) }

func compareVersions(a, b string) int {
	x, errX := version.ParseSemantic(a)
	y, errY := version.ParseSemantic(b)
	switch {
	case errX != nil || errY != nil:
		return cmp.Compare(a, b)
	case x.LessThan(y):
		return -1
	case y.LessThan(x):
		return 1
	}
	return 0
}
