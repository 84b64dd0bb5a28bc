package v1alpha1_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// likeDeployment has pod specs that a Deployment takes, each in words and as the rest of a pod spec or of its container.
var likeDeployment = map[string]struct{ pod, container string }{
	"quantities without quotes":         {container: `{resources: {requests: {cpu: 0.5, memory: 256Mi}, limits: {cpu: 1.5, memory: 1073741824}}}`},
	"quantities of a negative exponent": {container: `{resources: {requests: {cpu: 5e-1}}}`},
	"a name twice in env":               {container: `{env: [{name: LEVEL, value: info}, {name: LEVEL, value: debug}]}`},
	"a port twice":                      {container: `{ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 8080}]}`},
	"an init container's env twice":     {pod: `{initContainers: [{name: i, image: i, env: [{name: A}, {name: A}], ports: [{containerPort: 1}, {containerPort: 1}]}]}`},
	"an image pull secret twice":        {pod: `{imagePullSecrets: [{name: a}, {name: a}]}`},
	"a host alias twice":                {pod: `{hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]}`},
	"exit codes twice":                  {container: `{restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1, 1]}}]}`},
	"nulls":                             {pod: `{volumes: null, hostNetwork: null}`, container: `{env: null, resources: {limits: null}, securityContext: null}`},
	"nulls of what has rules":           {pod: `{terminationGracePeriodSeconds: null, activeDeadlineSeconds: null, restartPolicy: null}`, container: `{lifecycle: null}`},
	"a null of a stop signal":           {container: `{lifecycle: {stopSignal: null, preStop: {sleep: {seconds: 1}}}}`},
	"a header without value":            {pod: `{securityContext: {sysctls: [{name: kernel.msgmax}]}}`, container: `{livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: X}]}}}`},
	"volumes with defaults of their own": {pod: `{volumes: [{name: c, configMap: {name: c}}, {name: i, iscsi: {targetPortal: 10.0.0.1, iqn: "iqn.2001-04.com.example:a", lun: 0}},
		{name: p, projected: {sources: [{secret: {name: s}}]}}]}`},
	"probes with defaults of their own": {container: `{livenessProbe: {grpc: {port: 1}}, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}`},
	"a claim without quotes": {pod: `{volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {creationTimestamp: null, labels: {a: b}},
		spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1073741824}}}}}}]}`},
}

// checkLikeDeployment applies each pod spec in a Deployment and in a QWorker, and again, without a change.
func checkLikeDeployment(t *testing.T, api client.Client) {
	for name, tc := range likeDeployment {
		t.Run(name, func(t *testing.T) {
			podSpec := map[string]any{"containers": []any{map[string]any{"name": "worker", "image": "worker"}}}
			merge(t, podSpec, tc.pod)
			merge(t, podSpec["containers"].([]any)[0].(map[string]any), tc.container)
			deployment := object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: like}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}}`)
			if err := unstructured.SetNestedField(deployment.Object, podSpec, "spec", "template", "spec"); err != nil {
				t.Fatal(err)
			}
			if err := api.Create(t.Context(), deployment.DeepCopy(), client.DryRunAll); err != nil {
				t.Fatalf("a Deployment does not take it: %v", err)
			}
			qworker := object(t, smallQWorker)
			qworker.SetName("like")
			qworker.Object["spec"].(map[string]any)["podSpec"] = podSpec
			checkReappliedFromClient(t, api, qworker)
			checkReappliedOnServer(t, api, qworker)
		})
	}
}

// checkReappliedFromClient does what kubectl apply does, and fails where the second time finds a difference.
func checkReappliedFromClient(t *testing.T, api client.Client, manifest *unstructured.Unstructured) {
	t.Helper()
	live := manifest.DeepCopy()
	if err := api.Create(t.Context(), live); err != nil {
		t.Fatalf("a QWorker does not take it: %v", err)
	}
	defer func() {
		if err := api.Delete(context.WithoutCancel(t.Context()), live); err != nil {
			t.Error(err)
		}
	}()
	checkReadable(t, live)
	modified, current := encoded(t, manifest), encoded(t, live)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(modified, modified, current)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("{}", string(patch)); diff != "" {
		t.Errorf("kubectl apply of what is there, -want +got:\n%s", diff)
	}
}

func checkReappliedOnServer(t *testing.T, api client.Client, manifest *unstructured.Unstructured) {
	t.Helper()
	var versions []string
	for range 3 { // the second time the API server stores the status that it has shown since the first
		applied := manifest.DeepCopy()
		if err := api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("test")); err != nil {
			t.Fatal(err)
		}
		versions = append(versions, applied.GetResourceVersion())
	}
	if versions[1] != versions[2] {
		t.Errorf("another server-side apply has changed the object: versions %v", versions)
	}
	if err := api.Delete(t.Context(), manifest.DeepCopy()); err != nil {
		t.Error(err)
	}
}

// merge adds the fields of a YAML object, "" for none.
func merge(t *testing.T, into map[string]any, manifest string) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(manifest), &into); err != nil {
		t.Fatal(err)
	}
}

func encoded(t *testing.T, object *unstructured.Unstructured) []byte {
	t.Helper()
	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}
