package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/collector"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/crds"
	"github.com/quickube/qscaler/local/metricsapi"
	"github.com/quickube/qscaler/local/node"
)

// NodeName is the name of the one node.
const NodeName = "local"

// metricsInterval is how often the node tells what its pods use, as a metrics-server does by default.
const metricsInterval = 15 * time.Second

// Options say what to bring up.
type Options struct {
	// Dir has all state, and is removed by Stop.
	Dir string
	// Images maps an image to the program and arguments that stand for it on this machine.
	Images map[string][]string
	// Build makes more of them, in a directory of the stack; nil makes none.
	Build func(ctx context.Context, dir string) (map[string][]string, error)
	// Operator is the program and arguments that run RunOperator. Default: this program, with OperatorCommand.
	Operator []string
	// Broker is the one to start; the zero value starts none, for tests that bring their own.
	Broker brokers.Broker
	// BrokerPassword is what the broker asks for; "" for nothing.
	BrokerPassword string
	// CrashBackOff is how long the node waits before it restarts a container that crashed again; 0 means
	// Kubernetes' own 10 s, doubling to 5 min.
	CrashBackOff time.Duration
	// Port is the API server's; 0 takes one that is free.
	Port int
	// MetricsAddress is the host:port of the operator's metrics, over plain HTTP; "" serves none.
	MetricsAddress string
	// Progress gets lines for a person; nil drops them.
	Progress func(format string, args ...any)
}

// Stack is a running local mode.
type Stack struct {
	options   Options
	lock      *lock
	plane     *controlplane.ControlPlane
	collector *running
	node      *node.Node
	nodeRuns  *running
	broker    brokers.Server
	operator  *Operator
	log       *os.File
}

// running is a goroutine that runs until it is cancelled.
type running struct {
	cancel context.CancelFunc
	ended  chan error
}

func start(run func(context.Context) error) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- run(ctx) }()
	return r
}

func (r *running) stop() error {
	if r == nil {
		return nil
	}
	r.cancel()
	return <-r.ended
}

// Start brings everything up. The context bounds the start only.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	s := &Stack{options: o}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.takeDir(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.build, s.startBroker, s.startPlane, s.startCollector, s.startNode, s.startOperator} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// takeDir locks the directory, and empties it of what a killed predecessor has left.
func (s *Stack) takeDir() error {
	dir, err := filepath.Abs(s.options.Dir)
	if err != nil {
		return err
	}
	s.options.Dir = dir
	if s.lock, err = takeLock(dir); err != nil {
		return err
	}
	ended, err := removeLeftovers(dir)
	if err != nil {
		return err
	}
	if len(ended) > 0 {
		s.options.Progress("ended %d processes of an earlier run that was killed", len(ended))
	}
	s.log, err = os.OpenFile(filepath.Join(dir, nodeLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

func (s *Stack) build(ctx context.Context) error {
	if s.options.Build == nil {
		return nil
	}
	s.options.Progress("building the example workers")
	built, err := s.options.Build(ctx, s.subdir(binDir))
	if err != nil {
		return err
	}
	images := map[string][]string{}
	maps.Copy(images, built) // none, outside of the source tree
	maps.Copy(images, s.options.Images)
	s.options.Images = images
	return nil
}

func (s *Stack) startPlane(ctx context.Context) error {
	s.options.Progress("looking for etcd and kube-apiserver")
	paths, err := controlplane.Binaries(ctx, s.options.Progress)
	if err != nil {
		return err
	}
	s.options.Progress("starting a real Kubernetes API server")
	s.plane, err = controlplane.Start(ctx, controlplane.Options{
		Dir: s.subdir(planeDir), Paths: paths, Port: s.options.Port, Log: s.options.Progress,
	})
	if err != nil {
		return err
	}
	s.options.Progress("installing QScaler's two kinds")
	if err := crds.Install(ctx, s.plane.Config()); err != nil {
		return err
	}
	return metricsapi.Install(ctx, s.plane.Config())
}

// startCollector starts what a cluster's controller manager does about deletions.
func (s *Stack) startCollector(context.Context) error {
	c, err := collector.New(s.plane.Config(), logr.FromSlogHandler(logHandler(s.log)))
	if err != nil {
		return err
	}
	s.collector = start(func(ctx context.Context) error { c.Run(ctx); return nil })
	return nil
}

func (s *Stack) startNode(context.Context) error {
	s.options.Progress("starting a node that runs pods as processes")
	serving, err := s.plane.KubeletConfig()
	if err != nil {
		return err
	}
	s.node, err = node.New(node.Options{
		Config: s.plane.Config(), Name: NodeName, Dir: s.subdir(nodeDir), Images: s.options.Images,
		Log: logr.FromSlogHandler(logHandler(s.log)), CrashBackOff: s.options.CrashBackOff,
		MetricsInterval: metricsInterval, Serving: serving,
	})
	if err != nil {
		return err
	}
	s.nodeRuns = start(s.node.Run)
	return nil
}

func (s *Stack) startOperator(ctx context.Context) error {
	s.options.Progress("starting the operator under its own role")
	config, err := grantRights(ctx, s.plane)
	if err != nil {
		return err
	}
	dir := s.subdir(operatorDir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := controlplane.WriteKubeconfig(kubeconfig, config); err != nil {
		return err
	}
	s.operator, err = newOperator(dir, s.options, kubeconfig, "")
	if err != nil {
		return err
	}
	return s.operator.Start()
}

// Stop stops everything, each part before the parts that it uses, and removes what was written. It may be called more
// than once.
func (s *Stack) Stop() error {
	var errs []error
	if s.operator != nil {
		errs = append(errs, s.operator.close())
	}
	errs = append(errs, s.nodeRuns.stop(), s.collector.stop())
	if s.broker != nil {
		errs = append(errs, s.broker.Stop())
	}
	if s.plane != nil {
		errs = append(errs, s.plane.Stop())
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	s.operator, s.nodeRuns, s.collector, s.broker, s.plane, s.log = nil, nil, nil, nil, nil, nil
	if s.lock != nil {
		errs = append(errs, s.lock.release())
		s.lock = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping local mode, %w", err)
	}
	return nil
}

// Config is the administrator's configuration.
func (s *Stack) Config() *rest.Config { return s.plane.Config() }

// Kubeconfig is the path of the administrator's kubeconfig.
func (s *Stack) Kubeconfig() string { return s.plane.Kubeconfig() }

// ControlPlane is the control plane, to be killed and started again.
func (s *Stack) ControlPlane() *controlplane.ControlPlane { return s.plane }

// Operator is the operator's process.
func (s *Stack) Operator() *Operator { return s.operator }

// Broker is the broker's server; nil without Options.Broker.
func (s *Stack) Broker() brokers.Server { return s.broker }

// KillWorker kills a pod's worker container with SIGKILL.
func (s *Stack) KillWorker(namespace, pod string) error { return s.node.KillWorker(namespace, pod) }

// LogPath is the path of the file with all that a container has written, over its restarts.
func (s *Stack) LogPath(namespace, pod, container string) string {
	return s.node.LogPath(namespace, pod, container)
}

func (s *Stack) subdir(name string) string { return filepath.Join(s.options.Dir, name) }
