package podconfig

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// API reads objects from the API server.
type API struct {
	// Live reads from the API server, and not from a cache.
	Live client.Reader
	// Fingerprint is that of the content of an object.
	Fingerprint func(namespace, object string, data map[string][]byte) string
	// Label is what a Secret must have, with the value true, to be read; "" for nothing.
	Label string
}

// Read asks for the metadata, and for the content only where that may be another: few objects ever change.
func (a API) Read(ctx context.Context, namespace string, object Object, known string) (version, fingerprint string, err error) {
	name := types.NamespacedName{Namespace: namespace, Name: object.Name}
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(object.Kind)))
	if err := a.Live.Get(ctx, name, meta); err != nil {
		return "", "", wordsOf(err)
	}
	if object.Kind == Secret && a.Label != "" && meta.Labels[a.Label] != "true" {
		return "", "", ErrNotLabelled
	}
	if version := versionOf(meta); version == known {
		return version, "", nil
	}
	if object.Kind == Secret {
		var secret corev1.Secret
		if err := a.Live.Get(ctx, name, &secret); err != nil {
			return "", "", wordsOf(err)
		}
		if a.Label != "" && secret.Labels[a.Label] != "true" { // it was taken away meanwhile
			return "", "", ErrNotLabelled
		}
		return versionOf(&secret), a.Fingerprint(namespace, object.String(), secret.Data), nil
	}
	var configMap corev1.ConfigMap
	if err := a.Live.Get(ctx, name, &configMap); err != nil {
		return "", "", wordsOf(err)
	}
	return versionOf(&configMap), a.Fingerprint(namespace, object.String(), dataOf(&configMap)), nil
}

// versionOf is another one for each content that an object ever has, also after it was deleted and created again.
func versionOf(object client.Object) string {
	return string(object.GetUID()) + "/" + object.GetResourceVersion()
}

// dataOf is all that a ConfigMap has. No key is in both maps.
func dataOf(m *corev1.ConfigMap) map[string][]byte {
	data := make(map[string][]byte, len(m.Data)+len(m.BinaryData))
	for key, value := range m.Data {
		data[key] = []byte(value)
	}
	for key, value := range m.BinaryData {
		data[key] = value
	}
	return data
}

func wordsOf(err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return ErrNotFound
	case apierrors.IsForbidden(err):
		return ErrForbidden
	}
	return ErrUnanswered
}
