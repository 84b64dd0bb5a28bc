package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/version"
)

// flags are the command line.
type flags struct {
	operator.Options
	kubeconfig string
	logLevel   string
	logFormat  string
}

func newCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:           "qscaler",
		Short:         "Runs the workers of message queues on Kubernetes",
		Long:          "qscaler keeps as many workers as a message queue needs, and never takes one away in the middle of a task.",
		Version:       version.String(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.complete(cmd.Flags().Changed); err != nil {
				return err
			}
			return operator.Run(cmd.Context(), f.Options)
		},
	}
	f.register(cmd)
	return cmd
}

func (f *flags) register(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "path of a kubeconfig; empty: $KUBECONFIG, then the service account of the pod")
	set.StringSliceVar(&f.Namespaces, "watch-namespaces", nil, "namespaces to watch, separated by commas; empty: all")
	set.StringVar(&f.MetricsAddress, "metrics-bind-address", ":8443", "host:port of the Prometheus metrics; 0 serves none")
	set.BoolVar(&f.OpenMetrics, "open-metrics", false, "serve the metrics over plain HTTP to everybody, and not over TLS to those whom the API server lets get /metrics")
	set.StringVar(&f.MetricsCertDir, "metrics-cert-dir", "", "directory of tls.crt and tls.key for the metrics, which are read anew when they change; empty: a self-signed certificate")
	set.StringSliceVar((*[]string)(&f.Limits.Hosts), "allowed-broker-hosts", nil, "hosts that ScalerConfigs may name, separated by commas: redis.example.com, *.example.com, 10.0.0.7 or 10.0.0.0/8; empty: any")
	set.BoolVar(&f.Limits.LabelledSecrets, "require-secret-label", false, "use no Secret of a ScalerConfig but those with the label "+connection.SecretLabel+"=true")
	set.StringVar(&f.ProbeAddress, "health-probe-bind-address", ":8081", "host:port of /healthz and /readyz; 0 serves none")
	set.StringVar(&f.PprofAddress, "pprof-bind-address", "0", "host:port of Go's profiles, over plain HTTP, readable by everybody who can reach it; 0 serves none")
	set.BoolVar(&f.LeaderElection, "leader-elect", true, "let only one of several replicas act at a time")
	set.StringVar(&f.LeaderElectionNamespace, "leader-election-namespace", "", "namespace of the lease and of the Secret qscaler-password-fingerprints; empty: the pod's own; needed outside of a cluster")
	set.DurationVar(&f.PollInterval, "poll-interval", 0, "how often a broker that does not tell of changes is read, 100ms or more; not set: what suits the broker, mostly 1s")
	set.DurationVar(&f.SafetyInterval, "safety-interval", 0, "how often a broker that tells of changes is read too, because it can miss one; 100ms or more; not set: what suits the broker, 5s for Redis")
	set.DurationVar(&f.UsageInterval, "usage-interval", podmetrics.DefaultInterval, "how often the usage of pods is read from the metrics API, for QWorkers with activateVPA; 100ms or more")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	set.StringVar(&f.logFormat, "log-format", "json", "json or text")
}

const shortestInterval = 100 * time.Millisecond

// complete checks the flags and makes the rest of the options of them. given tells which were given.
func (f *flags) complete(given func(name string) bool) error {
	for name, interval := range map[string]time.Duration{"poll-interval": f.PollInterval, "safety-interval": f.SafetyInterval, "usage-interval": f.UsageInterval} {
		if given(name) && interval < shortestInterval {
			return fmt.Errorf("--%s is %s; it must be %s or more", name, interval, shortestInterval)
		}
	}
	for i, namespace := range f.Namespaces {
		f.Namespaces[i] = strings.TrimSpace(namespace)
		if f.Namespaces[i] == "" {
			return fmt.Errorf("--watch-namespaces has an empty name: %q", strings.Join(f.Namespaces, ","))
		}
	}
	if err := f.Limits.Hosts.Check(); err != nil {
		return fmt.Errorf("--allowed-broker-hosts, %w", err)
	}
	options, err := logOptions(f.logLevel, f.logFormat)
	if err != nil {
		return err
	}
	f.Log = operator.LogTo(os.Stderr, options)
	f.Config, err = restConfig(f.kubeconfig)
	return err
}

func logOptions(level, format string) (o operator.LogOptions, err error) {
	if err := o.Level.UnmarshalText([]byte(level)); err != nil {
		return o, fmt.Errorf("--log-level is %q; it must be debug, info, warn or error", level)
	}
	switch format {
	case "json":
		o.JSON = true
		return o, nil
	case "text":
		return o, nil
	}
	return o, fmt.Errorf("--log-format is %q; it must be json or text", format)
}

// restConfig reads the named kubeconfig, else that of $KUBECONFIG, else the pod's service account.
func restConfig(path string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	if path == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		if config, err := rest.InClusterConfig(); err == nil {
			return config, nil
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster, %w; give --kubeconfig, or run in a pod with a service account", err)
	}
	return config, nil
}
