package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/stack"
)

// upFlags are the command line of `up`.
type upFlags struct {
	dir        string
	port       int
	metrics    int
	images     map[string]string
	kubeconfig string
	broker     string
}

// newUp makes the command that runs everything until it is interrupted.
func newUp() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "A local QScaler to work with, by kubectl, until Ctrl-C",
		Long: "up starts an API server, a broker, the operator and a node on this machine, and prints how to reach them.\n" +
			"Ctrl-C stops it all and removes it. With --kubeconfig it uses the cluster that you have: it installs\n" +
			"QScaler's kinds there, which stay, and runs the operator here until Ctrl-C. It makes the namespace of the\n" +
			"operator's lease where there is none, and removes it unless somebody has put something else there.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := f.checkPorts(); err != nil {
				return err
			}
			ctrl.SetLogger(logr.Discard())
			klog.SetLogger(logr.Discard())
			if f.dir == "" {
				if f.dir, err = stack.DefaultDir("up"); err != nil {
					return err
				}
			}
			if f.kubeconfig != "" {
				return upOnCluster(cmd.Context(), f, cmd.OutOrStdout())
			}
			return up(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", "directory of the state: an empty one, or one to be made; what up writes there is removed at the end; without --dir: qscaler/local/up in the user's cache directory")
	cmd.Flags().IntVar(&f.port, "port", 0, "port of the API server; 0: any that is free")
	cmd.Flags().IntVar(&f.metrics, "metrics-port", 0, "port of the operator's metrics, on 127.0.0.1; 0: any that is free")
	cmd.Flags().StringToStringVar(&f.images, "image", nil, "IMAGE=COMMAND: what to run for pods with that image, whatever its tag, and no command of their own; COMMAND is for sh; may be repeated")
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "path of a kubeconfig: use that cluster, and start none")
	brokerFlag(cmd, &f.broker)
	cmd.MarkFlagsMutuallyExclusive("kubeconfig", "broker")
	cmd.MarkFlagsMutuallyExclusive("kubeconfig", "port")
	cmd.MarkFlagsMutuallyExclusive("kubeconfig", "image")
	return cmd
}

// programs are the images, each as a command line to which the container's arguments are added.
func (f *upFlags) programs() map[string][]string {
	programs := map[string][]string{}
	for image, command := range f.images {
		programs[image] = []string{"sh", "-c", "exec " + command + ` "$@"`, "sh"}
	}
	return programs
}

// checkPorts refuses a number that is no port, before anything is built or started.
func (f *upFlags) checkPorts() error {
	for _, flag := range []struct {
		name string
		port int
	}{{"port", f.port}, {"metrics-port", f.metrics}} {
		if flag.port < 0 || flag.port > math.MaxUint16 {
			return fmt.Errorf("--%s %d is no port: give one from 1 to %d, or 0 for any that is free", flag.name, flag.port, math.MaxUint16)
		}
	}
	return nil
}

// metricsAddress is where the operator's metrics are served.
func (f *upFlags) metricsAddress() (string, error) {
	port := f.metrics
	if port == 0 {
		var err error
		if port, err = freeport.Find(); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

func up(ctx context.Context, f upFlags, out io.Writer) (err error) {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	metrics, err := f.metricsAddress()
	if err != nil {
		return err
	}
	broker, err := brokers.Named(f.broker)
	if err != nil {
		return err
	}
	examples := true
	local, err := stack.Start(ctx, stack.Options{
		Dir: f.dir, Port: f.port, Images: f.programs(), Broker: broker, Progress: say, MetricsAddress: metrics,
		Build: func(ctx context.Context, dir string) (map[string][]string, error) {
			images, err := exampleworkers.Build(ctx, dir)
			if err != nil && ctx.Err() == nil { // a user's own workers need none of them
				say("without the example workers: %v", err)
				examples = false
				return nil, nil
			}
			return images, err
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		say("stopping everything, and removing it")
		err = errors.Join(err, local.Stop())
	}()
	if err := applyScalerConfig(ctx, local, broker); err != nil {
		return err
	}
	if err := broker.MissingWorker(ctx); err != nil && examples {
		say("without the example worker: %v", err)
		examples = false
	}
	newGuide(local, broker, examples).print(out)
	<-ctx.Done()
	return nil
}

func upOnCluster(ctx context.Context, f upFlags, out io.Writer) (err error) {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	metrics, err := f.metricsAddress()
	if err != nil {
		return err
	}
	cluster, err := stack.StartOnCluster(ctx, stack.Options{Dir: f.dir, Progress: say, MetricsAddress: metrics}, f.kubeconfig)
	if err != nil {
		return err
	}
	defer func() {
		say("stopping the operator; the kinds stay in the cluster, with what you have created of them")
		err = errors.Join(err, cluster.Stop())
	}()
	say("ready; the operator's metrics are at %s, and its log is %s; Ctrl-C ends it", cluster.Operator().Metrics(), cluster.Operator().Log())
	<-ctx.Done()
	return nil
}
