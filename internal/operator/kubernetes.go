package operator

import (
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/internal/logs"
)

// oldestKubernetes is the first that has all that the operator uses: the resize of a running pod.
const oldestKubernetes = "1.33"

// warnOfVersion warns where the API server is older than what QScaler is made for. It refuses nothing: the server has the
// kinds, and all but the resize of running pods may work with it. Who may not know the version is warned of nothing.
func warnOfVersion(config *rest.Config, log logr.Logger) {
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return
	}
	info, err := server.ServerVersion()
	if err != nil {
		log.V(1).Info("The API server does not say its version", "err", err.Error())
		return
	}
	if said := tooOld(info.GitVersion); said != "" {
		logs.Warn(log, said, "version", info.GitVersion)
	}
}

// tooOld says that a version of Kubernetes is too old, "" where it is not, or is no version. What a distribution adds to
// it does not count, as in v1.33.2+k3s1.
func tooOld(kubernetes string) string {
	is, err := version.ParseGeneric(kubernetes)
	if err != nil || is.AtLeast(version.MustParseGeneric(oldestKubernetes)) {
		return ""
	}
	return fmt.Sprintf("QScaler needs Kubernetes %s or newer, and this is older: running pods cannot be raised here, and whether all else works is not tested; upgrade the cluster", oldestKubernetes)
}
