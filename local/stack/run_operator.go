package stack

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/quickube/qscaler/internal/operator"
)

// OperatorCommand is the hidden subcommand of qscaler-local that runs the operator. A test program takes it
// as its first argument in TestMain.
const OperatorCommand = "operator"

var errOperatorArgs = errors.New("operator takes the path of a kubeconfig, the address of the metrics or 0, and optionally the namespace of a lease")

// noMetrics is the address at which none are served.
const noMetrics = "0"

// RunOperator is the operator's process: args are the path of a kubeconfig, the address of the metrics and, where there
// may be other replicas, the namespace of the lease. The metrics are for this machine, over plain HTTP. It logs to standard error.
func RunOperator(ctx context.Context, args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errOperatorArgs
	}
	log := operator.LogTo(os.Stderr, operator.LogOptions{})
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	o := operator.Options{
		Config: config, Log: log, MetricsAddress: args[1], OpenMetrics: true, ProbeAddress: "0",
		UsageInterval: metricsInterval, ConfigInterval: metricsInterval, LeaderElectionNamespace: operatorNamespace, // where its key is
	}
	if len(args) == 3 {
		o.LeaderElection, o.LeaderElectionNamespace = true, args[2]
	}
	return operator.Run(ctx, o)
}

func logHandler(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, nil)
}
