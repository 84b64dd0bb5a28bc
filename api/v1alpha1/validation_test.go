package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// The two manifests of the documentation. Users have copied them: they must be accepted as they stand.
const (
	exampleQWorker = `
apiVersion: quickube.com/v1alpha1
kind: QWorker
metadata:
  name: example-qworker
spec:
  podSpec:
    containers:
      - name: worker
        image: worker-image:latest
        resources:
          requests: {cpu: "500m", memory: "256Mi"}
  scaleConfig:
    scalerConfigRef: "example-scaler-config"
    queue: "task-queue"
    minReplicas: 1
    maxReplicas: 10
    scalingFactor: 2
    activateVPA: true
`
	exampleScalerConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: example-scaler-config
spec:
  type: "redis"
  config:
    host: "redis-host"
    port: "6379"
    password:
      secret: {name: "redis-secret", key: "password"}
`
)

// The smallest manifests; the cases below are edits of them.
const (
	smallQWorker = `
apiVersion: quickube.com/v1alpha1
kind: QWorker
metadata:
  name: small
spec:
  podSpec:
    containers: [{name: worker, image: worker}]
  scaleConfig:
    scalerConfigRef: broker
    queue: tasks
    maxReplicas: 10
`
	smallScalerConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: small
spec:
  type: redis
  config:
    host: redis
`
	smallBeanstalkdConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: small
spec:
  type: beanstalkd
  config:
    host: beanstalkd
`
	smallRabbitMQConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: small
spec:
  type: rabbitmq
  config:
    host: rabbitmq
    rabbitmq: {}
`
)

// validationCase is one edit of a small manifest: the field at path is set to the YAML in value, or
// removed where value is empty. It is accepted, or refused with exactly the message in want.
type validationCase struct {
	path, value string
	want        string
}

func TestValidation(t *testing.T) {
	api := startAPI(t)

	t.Run("the documentation's manifests", func(t *testing.T) {
		for _, manifest := range []string{exampleQWorker, exampleScalerConfig} {
			if err := api.Create(t.Context(), object(t, manifest)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("QWorker", func(t *testing.T) { checkCases(t, api, smallQWorker, qworkerCases) })
	t.Run("right-sizing", func(t *testing.T) { checkCases(t, api, smallQWorker, rightSizingCases) })
	t.Run("ScalerConfig", func(t *testing.T) { checkCases(t, api, smallScalerConfig, scalerConfigCases) })
	t.Run("ScalerConfig of Beanstalkd", func(t *testing.T) { checkCases(t, api, smallBeanstalkdConfig, beanstalkdConfigCases) })
	t.Run("ScalerConfig of RabbitMQ", func(t *testing.T) { checkCases(t, api, smallRabbitMQConfig, rabbitMQConfigCases) })
	t.Run("ScalerConfig of NATS", func(t *testing.T) { checkCases(t, api, smallNATSConfig, natsConfigCases) })
	t.Run("ScalerConfig of PostgreSQL", func(t *testing.T) { checkCases(t, api, smallPostgresConfig, postgresConfigCases) })
	t.Run("ScalerConfig of MySQL", func(t *testing.T) { checkCases(t, api, smallMySQLConfig, mysqlConfigCases) })
	t.Run("what a Deployment takes", func(t *testing.T) { checkLikeDeployment(t, api) })
	t.Run("an object that nobody has looked at", func(t *testing.T) { checkUnseen(t, api) })
	t.Run("a ScalerConfig's type is immutable", func(t *testing.T) { checkTypeIsImmutable(t, api) })
	t.Run("defaults", func(t *testing.T) { checkDefaults(t, api) })
}

func checkCases(t *testing.T, api client.Client, manifest string, cases map[string]validationCase) {
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			edited := object(t, manifest)
			set(t, edited.Object, strings.Split(tc.path, "."), tc.value)
			err := api.Create(t.Context(), edited, client.DryRunAll)
			if err == nil {
				checkReadable(t, edited)
			}
			if diff := cmp.Diff(tc.want, refusal(edited, err)); diff != "" {
				t.Errorf("refusal, -want +got:\n%s", diff)
			}
		})
	}
}

// checkReadable fails when an accepted object is none for a typed client: one such object breaks the list
// of all.
func checkReadable(t *testing.T, accepted *unstructured.Unstructured) {
	t.Helper()
	stored, err := accepted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	into := map[string]any{"QWorker": &v1alpha1.QWorker{}, "ScalerConfig": &v1alpha1.ScalerConfig{}}
	if err := json.Unmarshal(stored, into[accepted.GetKind()]); err != nil {
		t.Errorf("accepted, and cannot be read: %v", err)
	}
}

func checkTypeIsImmutable(t *testing.T, api client.Client) {
	scalerConfig := object(t, smallScalerConfig)
	scalerConfig.SetName("immutable")
	if err := api.Create(t.Context(), scalerConfig); err != nil {
		t.Fatal(err)
	}
	set(t, scalerConfig.Object, []string{"spec", "type"}, "beanstalkd")
	err := api.Update(t.Context(), scalerConfig)
	if diff := cmp.Diff(`spec.type: Invalid value: "beanstalkd": type is immutable; create another ScalerConfig for another type of broker`, refusal(scalerConfig, err)); diff != "" {
		t.Errorf("refusal, -want +got:\n%s", diff)
	}
}

func checkDefaults(t *testing.T, api client.Client) {
	qworker := object(t, smallQWorker)
	scalerConfig := object(t, smallScalerConfig)
	for _, created := range []client.Object{qworker, scalerConfig} {
		if err := api.Create(t.Context(), created, client.DryRunAll); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]any{
		"scalerConfigRef": "broker", "queue": "tasks",
		"minReplicas": int64(0), "maxReplicas": int64(10), "scaleDownDelay": "30s",
	}
	got, _, _ := unstructured.NestedMap(qworker.Object, "spec", "scaleConfig")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec.scaleConfig, -want +got:\n%s", diff)
	}
	set(t, qworker.Object, []string{"spec", "rollout"}, `{}`)
	set(t, qworker.Object, []string{"spec", "drain"}, `{}`)
	qworker.SetName("defaults")
	if err := api.Create(t.Context(), qworker, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	want = map[string]any{
		"maxSurge": "25%", "maxUnavailable": int64(0), "minReadySeconds": int64(10),
		"progressDeadlineSeconds": int64(600), "revisionHistoryLimit": int64(10), "onConfigChange": "Ignore",
	}
	got, _, _ = unstructured.NestedMap(qworker.Object, "spec", "rollout")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec.rollout, -want +got:\n%s", diff)
	}
	got, _, _ = unstructured.NestedMap(qworker.Object, "spec", "drain")
	if diff := cmp.Diff(map[string]any{"mode": "Grant"}, got); diff != "" {
		t.Errorf("spec.drain, -want +got:\n%s", diff)
	}
	want = map[string]any{"host": "redis", "reclaim": true}
	got, _, _ = unstructured.NestedMap(scalerConfig.Object, "spec", "config")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec.config, -want +got:\n%s", diff)
	}
}

// object reads a manifest.
func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	out.SetNamespace("default")
	if err := yaml.Unmarshal([]byte(manifest), &out.Object); err != nil {
		t.Fatal(err)
	}
	out.SetNamespace("default")
	return out
}

// set edits the field at path: value is YAML, and an empty one removes the field.
func set(t *testing.T, fields map[string]any, path []string, value string) {
	t.Helper()
	for _, key := range path[:len(path)-1] {
		if _, ok := fields[key]; !ok {
			fields[key] = map[string]any{}
		}
		fields = fields[key].(map[string]any)
	}
	last := path[len(path)-1]
	if value == "" {
		delete(fields, last)
		return
	}
	var parsed any
	if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
		t.Fatal(err)
	}
	fields[last] = parsed
}

// refusal is what a user reads after the object's name, without the API server's standing remark that a
// malformed object was not checked further; "" where the object was accepted.
func refusal(refused *unstructured.Unstructured, err error) string {
	if err == nil {
		return ""
	}
	const unchecked = ", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
	message := strings.TrimPrefix(err.Error(), refused.GetKind()+`.quickube.com "`+refused.GetName()+`" is invalid: `)
	message = strings.TrimSuffix(strings.TrimPrefix(message, "["), "]")
	return strings.TrimSuffix(message, unchecked)
}
