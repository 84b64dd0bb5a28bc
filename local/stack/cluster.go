package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/quickube/qscaler/local/crds"
)

// Cluster is the operator on this machine, working on a cluster that the user has.
type Cluster struct {
	lock      *lock
	operator  *Operator
	namespace *leaseNamespace
	progress  func(format string, args ...any)
}

// StartOnCluster installs the kinds in the cluster of a kubeconfig, and runs the operator for it with that
// kubeconfig. There is no node and no broker: the cluster has its own.
func StartOnCluster(ctx context.Context, o Options, kubeconfig string) (*Cluster, error) {
	c := &Cluster{progress: o.Progress}
	if err := c.start(ctx, o, kubeconfig); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o Options, kubeconfig string) error {
	kubeconfig, err := filepath.Abs(kubeconfig)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading --kubeconfig, %w", err)
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	if c.lock, err = takeLock(o.Dir); err != nil {
		return err
	}
	if _, err := removeLeftovers(o.Dir); err != nil {
		return err
	}
	o.Progress("installing QScaler's two kinds at %s", config.Host)
	if err := crds.Install(ctx, config); err != nil {
		return err
	}
	if c.namespace, err = makeLeaseNamespace(ctx, config); err != nil {
		return err
	}
	o.Progress("starting the operator; it acts once no other holds the lease in namespace %s", operatorNamespace)
	if c.operator, err = newOperator(filepath.Join(o.Dir, operatorDir), o, kubeconfig, operatorNamespace); err != nil {
		return err
	}
	return c.operator.Start()
}

// Operator is the operator's process.
func (c *Cluster) Operator() *Operator { return c.operator }

// Stop stops the operator. The kinds stay: with them would go the user's QWorkers. So does a namespace that somebody uses.
func (c *Cluster) Stop() error {
	var errs []error
	if c.operator != nil {
		errs = append(errs, c.operator.close())
	}
	if c.namespace != nil {
		kept, err := c.namespace.remove()
		if kept != "" {
			c.progress("the namespace %s stays, because %s is in it", operatorNamespace, kept)
		}
		errs = append(errs, err)
	}
	if c.lock != nil {
		errs = append(errs, c.lock.release())
	}
	c.operator, c.namespace, c.lock = nil, nil, nil
	return errors.Join(errs...)
}
