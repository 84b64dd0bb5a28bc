package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/local/process"
)

// Options say how to start a control plane.
type Options struct {
	// Dir is the directory of its state, which is created. A control plane that is started again on it
	// has the same objects, keys and, if nobody has taken it meanwhile, the same port.
	Dir string
	// Paths are the programs, from Find or Binaries.
	Paths Paths
	// Log gets what is worth telling a person; nil drops it. The programs' own logs are in Dir.
	Log func(format string, args ...any)
	// Temporary is for tests: Stop does not wait for a graceful end, and removes Dir.
	Temporary bool
	// Port is the API server's; 0 means the one of last time, or any that is free.
	Port int
	// APIServerArgs are further flags for kube-apiserver; they win over ours.
	APIServerArgs []string
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	options  Options
	lock     *os.File
	launcher *process.Launcher
	keys     keys
	port     *port
	etcd     *process.Process
	defaults *defaults

	mu        sync.Mutex
	apiServer *process.Process
}

// Start starts a control plane and returns when it is ready to be used: the API server says that it is
// ready, and pods can be created in the default namespace. The context bounds the start only.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	c := &ControlPlane{options: o}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane in %s, %w", o.Dir, err), c.Stop())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context) error {
	err := c.open()
	if err != nil {
		return err
	}
	if c.keys, err = loadKeys(c.options.Dir); err != nil {
		return err
	}
	if c.port, err = reservePort(c.options.Dir, c.options.Port); err != nil {
		return err
	}
	if err := WriteKubeconfig(c.Kubeconfig(), c.Config()); err != nil {
		return err
	}
	if c.etcd, err = c.startEtcd(); err != nil {
		return err
	}
	if err := c.StartAPIServer(ctx); err != nil {
		return err
	}
	c.defaults, err = startDefaults(ctx, c.Config(), c.keys.ca, c.options.Log)
	return err
}

// open takes the directory, and ends what a killed predecessor has left there.
func (c *ControlPlane) open() error {
	var err error
	if c.options.Dir, err = filepath.Abs(c.options.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.options.Dir, 0o700); err != nil {
		return err
	}
	if c.lock, err = lockFile(filepath.Join(c.options.Dir, "lock")); err != nil {
		return fmt.Errorf("%w; is another one running there?", err)
	}
	var killed []string
	c.launcher, killed, err = process.NewLauncher(filepath.Join(c.options.Dir, "processes"))
	for _, name := range killed {
		c.options.Log("ended %s of an earlier run", name)
	}
	return err
}

// Config is the administrator's configuration. It has no rate limit: the API server's own fairness is enough.
func (c *ControlPlane) Config() *rest.Config {
	return &rest.Config{
		Host:            c.port.url(),
		BearerToken:     c.keys.token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.keys.ca},
		QPS:             -1,
	}
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *ControlPlane) Kubeconfig() string { return filepath.Join(c.options.Dir, "kubeconfig") }

// Dir is the directory of the state, as an absolute path.
func (c *ControlPlane) Dir() string { return c.options.Dir }

// Stop ends the processes and waits for it. It may be called more than once.
func (c *ControlPlane) Stop() error {
	var errs []error
	if c.defaults != nil {
		c.defaults.stop()
	}
	grace := 5 * time.Second
	if c.options.Temporary {
		grace = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range []*process.Process{c.apiServer, c.etcd} { // the server first: it would miss its etcd
		if p != nil {
			_ = p.Signal(syscall.SIGCONT) // it may be paused
			errs = append(errs, p.Stop(grace))
		}
	}
	if c.launcher != nil {
		c.launcher.Close()
	}
	if c.port != nil {
		c.port.release()
	}
	if c.options.Temporary {
		errs = append(errs, os.RemoveAll(c.options.Dir))
	}
	if c.lock != nil {
		_ = c.lock.Close()
	}
	return errors.Join(errs...)
}
