package node

import (
	"context"
	"errors"
	"fmt"
	"path"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// projection is the content of a volume by path.
type projection map[string][]byte

// sources resolves what volumes of one pod are made from.
type sources struct {
	node    *Node
	pod     *corev1.Pod
	ip      string
	objects *objects
}

func (s sources) files(ctx context.Context, volume *corev1.VolumeSource) (projection, error) {
	files := projection{}
	var err error
	switch {
	case volume.DownwardAPI != nil:
		err = s.downward(files, volume.DownwardAPI.Items)
	case volume.Secret != nil:
		err = s.secret(ctx, files, volume.Secret.SecretName, volume.Secret.Items, volume.Secret.Optional)
	case volume.ConfigMap != nil:
		err = s.configMap(ctx, files, volume.ConfigMap.Name, volume.ConfigMap.Items, volume.ConfigMap.Optional)
	case volume.Projected != nil:
		for i := range volume.Projected.Sources {
			if err := s.projected(ctx, files, &volume.Projected.Sources[i]); err != nil {
				return nil, err
			}
		}
	default:
		err = errors.New("local mode has emptyDir, hostPath, configMap, secret, downwardAPI and projected, and no other volume")
	}
	return files, err
}

func (s sources) projected(ctx context.Context, files projection, source *corev1.VolumeProjection) error {
	switch {
	case source.DownwardAPI != nil:
		return s.downward(files, source.DownwardAPI.Items)
	case source.Secret != nil:
		return s.secret(ctx, files, source.Secret.Name, source.Secret.Items, source.Secret.Optional)
	case source.ConfigMap != nil:
		return s.configMap(ctx, files, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
	case source.ServiceAccountToken != nil:
		return s.token(ctx, files, source.ServiceAccountToken)
	}
	return errors.New("local mode projects configMap, secret, downwardAPI and serviceAccountToken, and no other source")
}

func (s sources) downward(files projection, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = s.node.field(s.pod, s.ip, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = s.resource(item.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		files[item.Path] = []byte(value)
	}
	return nil
}

func (s sources) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	for _, list := range [][]corev1.Container{s.pod.Spec.Containers, s.pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == ref.ContainerName {
				return s.node.resourceField(&list[i], ref)
			}
		}
	}
	return "", fmt.Errorf("resourceFieldRef names the container %q, which is not there", ref.ContainerName)
}

func (s sources) secret(ctx context.Context, files projection, name string, items []corev1.KeyToPath, optional *bool) error {
	data, err := s.objects.secret(ctx, name)
	if err != nil {
		return err
	}
	return pick(files, data, items, optional, "secret", name)
}

func (s sources) configMap(ctx context.Context, files projection, name string, items []corev1.KeyToPath, optional *bool) error {
	data, err := s.objects.configMap(ctx, name)
	if err != nil {
		return err
	}
	return pick(files, data, items, optional, "configmap", name)
}

// pick takes all keys, or those that are listed.
func pick(files projection, data map[string][]byte, items []corev1.KeyToPath, optional *bool, kind, name string) error {
	if data == nil {
		return required(optional, kind, name, "")
	}
	if len(items) == 0 {
		for key, value := range data {
			files[key] = value
		}
	}
	for _, item := range items {
		value, ok := data[item.Key]
		if !ok {
			if err := required(optional, kind, name, item.Key); err != nil {
				return err
			}
			continue
		}
		files[path.Clean(item.Path)] = value
	}
	return nil
}

// token is not renewed: the API server gives the injected one a lifetime of a year in practice.
func (s sources) token(ctx context.Context, files projection, t *corev1.ServiceAccountTokenProjection) error {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: t.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: s.pod.Name, UID: s.pod.UID},
	}}
	if t.Audience != "" {
		request.Spec.Audiences = []string{t.Audience}
	}
	answer, err := s.node.client.CoreV1().ServiceAccounts(s.pod.Namespace).CreateToken(ctx, s.pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("requesting a token for the ServiceAccount %s, %w", s.pod.Spec.ServiceAccountName, err)
	}
	files[t.Path] = []byte(answer.Status.Token)
	return nil
}
