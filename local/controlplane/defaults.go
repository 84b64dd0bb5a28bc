package controlplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// defaults keeps in every namespace what a controller manager would: the ServiceAccount `default`, without
// which no pod is admitted, and the ConfigMap that the pods' injected volumes ask for.
type defaults struct {
	cancel  context.CancelFunc
	factory informers.SharedInformerFactory
	client  kubernetes.Interface
	ca      string
	log     func(format string, args ...any)
}

func startDefaults(ctx context.Context, config *rest.Config, ca []byte, log func(string, ...any)) (*defaults, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d := &defaults{client: client, ca: string(ca), log: log, factory: informers.NewSharedInformerFactory(client, 0)}
	// The API server makes the default namespace itself, in the background of its start.
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		err := d.ensure(ctx, metav1.NamespaceDefault)
		return err == nil, ignoreNotFound(err)
	})
	if err != nil {
		return nil, fmt.Errorf("making the default ServiceAccount, %w", err)
	}
	background, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	_, err = d.factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { d.added(background, obj) },
	})
	if err != nil {
		cancel()
		return nil, err
	}
	d.factory.Start(background.Done())
	return d, nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (d *defaults) stop() {
	d.cancel()
	d.factory.Shutdown()
}

// added tries again until it has succeeded, the namespace is gone, or the process ends. It delays only objects of its
// own kind.
func (d *defaults) added(ctx context.Context, obj any) {
	namespace, ok := obj.(*corev1.Namespace)
	if !ok || namespace.DeletionTimestamp != nil {
		return
	}
	told := false
	_ = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := d.ensure(ctx, namespace.Name)
		if err == nil || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			return true, nil
		}
		if !told && ctx.Err() == nil {
			d.log("making the default ServiceAccount of namespace %s: %v; trying on", namespace.Name, err)
			told = true
		}
		return false, nil
	})
}

func (d *defaults) ensure(ctx context.Context, namespace string) error {
	root := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-root-ca.crt"},
		Data:       map[string]string{"ca.crt": d.ca},
	}
	_, err := d.client.CoreV1().ConfigMaps(namespace).Create(ctx, root, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	_, err = d.client.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
