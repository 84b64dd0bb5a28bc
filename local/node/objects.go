package node

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

var errUnsupportedSource = errors.New("local mode does not know this source of a value")

// objects reads the Secrets and ConfigMaps that a container or a volume needs, each once. What does not
// exist has no data (nil), which is not an error here: the reference may be optional.
type objects struct {
	client    kubernetes.Interface
	namespace string
	read      map[string]map[string][]byte
}

func (n *Node) newObjects(namespace string) *objects {
	return &objects{client: n.client, namespace: namespace, read: map[string]map[string][]byte{}}
}

func (o *objects) secret(ctx context.Context, name string) (map[string][]byte, error) {
	return o.get("secret", name, func() (map[string][]byte, error) {
		s, err := o.client.CoreV1().Secrets(o.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return notNil(s.Data), nil
	})
}

func (o *objects) configMap(ctx context.Context, name string) (map[string][]byte, error) {
	return o.get("configmap", name, func() (map[string][]byte, error) {
		m, err := o.client.CoreV1().ConfigMaps(o.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		data := notNil(m.BinaryData)
		for key, value := range m.Data {
			data[key] = []byte(value)
		}
		return data, nil
	})
}

func (o *objects) get(kind, name string, read func() (map[string][]byte, error)) (map[string][]byte, error) {
	id := kind + "/" + name
	if data, ok := o.read[id]; ok {
		return data, nil
	}
	data, err := read()
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading %s %q, %w", kind, name, err)
	}
	o.read[id] = data
	return data, nil
}

func notNil(data map[string][]byte) map[string][]byte {
	if data == nil {
		return map[string][]byte{}
	}
	return data
}

// envFrom is the data of a whole object.
func (o *objects) envFrom(ctx context.Context, from corev1.EnvFromSource) (map[string]string, error) {
	var data map[string][]byte
	var err error
	switch {
	case from.SecretRef != nil:
		data, err = o.secret(ctx, from.SecretRef.Name)
		if err == nil && data == nil {
			err = required(from.SecretRef.Optional, "secret", from.SecretRef.Name, "")
		}
	case from.ConfigMapRef != nil:
		data, err = o.configMap(ctx, from.ConfigMapRef.Name)
		if err == nil && data == nil {
			err = required(from.ConfigMapRef.Optional, "configmap", from.ConfigMapRef.Name, "")
		}
	default:
		err = errUnsupportedSource
	}
	values := make(map[string]string, len(data))
	for key, value := range data {
		values[key] = string(value)
	}
	return values, err
}
