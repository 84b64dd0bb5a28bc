package node

import (
	"context"
	"maps"
	"os"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// inherited are the variables of this process that a process of this machine needs to find its programs and files.
// Pods get no others: they must not depend on the shell that started local mode.
func inherited() []string {
	return []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
}

// podIPVariable has the pod's address. A process of this machine connects from 127.0.0.1, unless it binds to that address.
const podIPVariable = "QSCALER_LOCAL_POD_IP"

// environment resolves a container's variables: ours, then envFrom, then env, each winning over the former.
func (n *Node) environment(ctx context.Context, pod *corev1.Pod, c *corev1.Container, ip string) (*variables, error) {
	v := newVariables()
	for _, name := range inherited() {
		if value, ok := os.LookupEnv(name); ok {
			v.set(name, value)
		}
	}
	v.set("HOSTNAME", hostname(pod))
	v.set(podIPVariable, ip)
	objects := n.newObjects(pod.Namespace)
	for _, from := range c.EnvFrom {
		data, err := objects.envFrom(ctx, from)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			if name := from.Prefix + key; len(validation.IsEnvVarName(name)) == 0 { // the kubelet skips those, too
				v.set(name, data[key])
			}
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			v.set(e.Name, v.expand(e.Value))
			continue
		}
		value, ok, err := n.valueFrom(ctx, objects, pod, c, ip, e.ValueFrom)
		if err != nil {
			return nil, err
		}
		if ok {
			v.set(e.Name, value)
		}
	}
	return v, nil
}

// hostname is the pod's, cut at 63 characters as Linux wants it.
func hostname(pod *corev1.Pod) string {
	name := pod.Spec.Hostname
	if name == "" {
		name = pod.Name
	}
	const limit = 63
	return name[:min(len(name), limit)]
}

// valueFrom reports false for an optional reference to a missing key or object: then the variable is not set.
func (n *Node) valueFrom(ctx context.Context, o *objects, pod *corev1.Pod, c *corev1.Container, ip string, from *corev1.EnvVarSource) (value string, ok bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err := n.field(pod, ip, from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err := n.resourceField(c, from.ResourceFieldRef)
		return value, true, err
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		data, err := o.secret(ctx, ref.Name)
		return lookUp(data, err, ref.Optional, "secret", ref.Name, ref.Key)
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		data, err := o.configMap(ctx, ref.Name)
		return lookUp(data, err, ref.Optional, "configmap", ref.Name, ref.Key)
	}
	return "", false, errUnsupportedSource
}

func lookUp(data map[string][]byte, err error, optional *bool, kind, name, key string) (value string, ok bool, _ error) {
	if err != nil {
		return "", false, err
	}
	if found, ok := data[key]; ok {
		return string(found), true, nil
	}
	if data == nil {
		key = ""
	}
	return "", false, required(optional, kind, name, key)
}
