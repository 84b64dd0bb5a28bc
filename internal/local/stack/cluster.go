package stack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/quickube/qscaler/internal/local/crds"
)

// Cluster is the operator on this machine, working on a cluster that the user has.
type Cluster struct {
	lock     *lock
	operator *Operator
	// madeNamespace removes the lease's namespace, where it is ours.
	madeNamespace func() error
}

// StartOnCluster installs the kinds in the cluster of a kubeconfig, and runs the operator for it with that
// kubeconfig. There is no node and no Redis: the cluster has its own.
func StartOnCluster(ctx context.Context, o Options, kubeconfig string) (*Cluster, error) {
	c := &Cluster{}
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
		return fmt.Errorf("reading --kubeconfig: %w", err)
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
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := c.makeNamespace(ctx, client); err != nil {
		return err
	}
	o.Progress("starting the operator; it acts once no other holds the lease in namespace %s", operatorNamespace)
	if c.operator, err = newOperator(filepath.Join(o.Dir, operatorDir), o.Operator, kubeconfig, operatorNamespace); err != nil {
		return err
	}
	return c.operator.Start()
}

// makeNamespace makes the namespace of the lease: an operator that the cluster already runs has its lease
// there, so that the two do not act at once.
func (c *Cluster) makeNamespace(ctx context.Context, client kubernetes.Interface) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{FieldManager: "qscaler-local"})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating the namespace %s for the operator's lease: %w", operatorNamespace, err)
	}
	c.madeNamespace = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := client.CoreV1().Namespaces().Delete(ctx, operatorNamespace, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	return nil
}

// Operator is the operator's process.
func (c *Cluster) Operator() *Operator { return c.operator }

// Stop stops the operator. The kinds stay: with them would go the user's QWorkers.
func (c *Cluster) Stop() error {
	var errs []error
	if c.operator != nil {
		errs = append(errs, c.operator.close())
	}
	if c.madeNamespace != nil {
		errs = append(errs, c.madeNamespace())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.release())
	}
	c.operator, c.madeNamespace, c.lock = nil, nil, nil
	return errors.Join(errs...)
}
