package operator

import (
	"net/http"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// metricsOptions serves the metrics to those who may read them.
func metricsOptions(o Options) metricsserver.Options {
	options := metricsserver.Options{BindAddress: o.MetricsAddress}
	if o.OpenMetrics {
		return options
	}
	options.SecureServing, options.CertDir = true, o.MetricsCertDir
	// Not with the manager's client: that writes as the leader alone, and to ask about a token is a write.
	options.FilterProvider = func(*rest.Config, *http.Client) (metricsserver.Filter, error) {
		client, err := rest.HTTPClientFor(o.Config)
		if err != nil {
			return nil, err
		}
		return filters.WithAuthenticationAndAuthorization(o.Config, client)
	}
	return options
}
