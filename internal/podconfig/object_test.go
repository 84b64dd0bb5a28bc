package podconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestOf(t *testing.T) {
	const manifest = `
imagePullSecrets: [{name: pull}]
initContainers:
- name: init
  env: [{name: A, valueFrom: {configMapKeyRef: {name: init, key: k}}}]
containers:
- name: a
  env:
  - {name: A, value: plain}
  - {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: C, valueFrom: {secretKeyRef: {name: env, key: k, optional: true}}}
  - {name: D, valueFrom: {configMapKeyRef: {name: env, key: k}}}
  envFrom:
  - secretRef: {name: from}
  - configMapRef: {name: from, optional: true}
- name: b
  envFrom:
  - secretRef: {name: env}
  - configMapRef: {name: from, optional: true}
volumes:
- {name: a, secret: {secretName: volume, optional: true}}
- {name: b, configMap: {name: volume}}
- name: c
  projected:
    sources:
    - secret: {name: projected}
    - configMap: {name: projected, optional: false}
    - downwardAPI: {items: []}
- {name: d, emptyDir: {}}
- {name: e, csi: {driver: x, nodePublishSecretRef: {name: kubelet}}}
- {name: f, secret: {}}
`
	var spec corev1.PodSpec
	if err := yaml.UnmarshalStrict([]byte(manifest), &spec); err != nil {
		t.Fatal(err)
	}
	want := []Reference{
		{Object{ConfigMap, "env"}, false}, {Object{ConfigMap, "from"}, true}, {Object{ConfigMap, "init"}, false},
		{Object{ConfigMap, "projected"}, false}, {Object{ConfigMap, "volume"}, false},
		{Object{Secret, "env"}, false}, {Object{Secret, "from"}, false}, {Object{Secret, "projected"}, false}, {Object{Secret, "volume"}, true},
	}
	if diff := cmp.Diff(want, Of(&spec)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Of(&corev1.PodSpec{}); len(got) != 0 {
		t.Errorf("an empty pod spec refers to %v", got)
	}
}
