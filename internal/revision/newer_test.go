package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/logs"
)

// writer keeps what is created.
type writer struct {
	client.Writer
	created client.Object
	options client.CreateOptions
	err     error
	// warning is what the API server adds to its answer.
	warning string
}

func (w *writer) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	(&logs.Answers{}).HandleWarningHeaderWithContext(ctx, 299, "-", w.warning)
	w.created = object
	w.options.ApplyOptions(options)
	if w.err == nil {
		object.SetUID("of the API server")
		object.SetAnnotations(nil) // as a webhook may
	}
	return w.err
}

// What this program does not know of the user's pod spec is in the pod all the same, and the API server is to know it.
func TestNewerFieldsAreInThePod(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "a"}}
		c.Newer = []v1alpha1.NewerField{
			{Name: "newer", Value: `{"than":"this"}`},
			{Of: "containers[0].env[0]", Name: "kind", Value: `1`},
			{Of: "containers[0].securityContext", Name: "newer", Value: `true`},
		}
	})
	pod, w := r.Make("p", PodOptions{Owner: qworker("a")}), &writer{}
	if err := pod.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if w.options.FieldValidation != "Strict" {
		t.Errorf("fields are validated %q", w.options.FieldValidation)
	}
	spec := w.created.(*unstructured.Unstructured).Object["spec"].(map[string]any)
	container := spec["containers"].([]any)[0].(map[string]any)
	env := container["env"].([]any)
	got := []any{spec["newer"], env[len(env)-1], container["securityContext"]}
	want := []any{
		map[string]any{"than": "this"},
		map[string]any{"name": "A", "value": "a", "kind": int64(1)},
		map[string]any{"newer": true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if kind := w.created.GetObjectKind().GroupVersionKind(); kind != corev1.SchemeGroupVersion.WithKind("Pod") {
		t.Errorf("created is a %s", kind)
	}
	if pod.Name != "p" || len(pod.Spec.Containers) != 1 || pod.UID == "" || len(pod.Annotations) > 0 {
		t.Errorf("the pod is %v, want it as the API server has it", pod.Pod)
	}
}

// One such field is enough for that. A pod that would be without it is not created, and a refusal is told.
func TestOneNewerField(t *testing.T) {
	refused := errors.New(`Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.newer"`)
	for name, c := range map[string]struct {
		of      string
		refusal error
		want    string
		created bool
	}{
		"the API server takes it":   {created: true},
		"the API server refuses it": {refusal: refused, want: `the API server's pods have no such field, correct its name or remove it: unknown field "spec.podSpec.newer"`, created: true},
		"the pod has no such part":  {of: "containers[1]", want: "podSpec has no containers[1], which has the field newer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := revisionOf(func(content *Content) { content.Newer = []v1alpha1.NewerField{{Of: c.of, Name: "newer", Value: `1`}} })
			w := &writer{err: c.refusal}
			words := ""
			err := r.Make("p", PodOptions{Owner: qworker("a")}).Create(t.Context(), w)
			if err != nil {
				words = err.Error()
			}
			if words != c.want || !errors.Is(err, c.refusal) && c.refusal != nil {
				t.Errorf("it ends with %v, want %q because of %v", err, c.want, c.refusal)
			}
			if created := w.created != nil; created != c.created {
				t.Errorf("it is created: %t, want %t", created, c.created)
			} else if _, whole := w.created.(*unstructured.Unstructured); whole != c.created {
				t.Errorf("%T is created, want the pod with all fields", w.created)
			}
		})
	}
}

func TestRefusalsNameTheUsersFields(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.InitContainers = []corev1.Container{{Name: "i"}}
		c.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "QSCALER_QUEUE", Value: "mine"}, {Name: "B"}}
	})
	pod := r.Make("p", PodOptions{Owner: qworker("a")})
	own := len(pod.Spec.Containers[0].Env) - 2
	if own != 4 {
		t.Fatalf("%d variables are injected, want 4", own)
	}
	for answer, want := range map[string]string{
		`Pod "p" is invalid: spec.containers[0].image: Required value`:                                                       `Pod "p" is invalid: spec.podSpec.containers[0].image: Required value`,
		`Pod "p" is invalid: [spec.containers[0].env[5].name: Required value, spec.initContainers[0].image: Required value]`: `Pod "p" is invalid: [spec.podSpec.containers[0].env[1].name: Required value, spec.podSpec.initContainers[0].image: Required value]`,
		`Pod "p" is invalid: spec.containers[0].env[4].name: Required value`:                                                 `Pod "p" is invalid: spec.podSpec.containers[0].env[0].name: Required value`,
		`Pod "p" is invalid: spec.containers[0].env[99999999999999999999].name`:                                              `Pod "p" is invalid: spec.podSpec.containers[0].env[99999999999999999999].name`,
		`Pod "p" is invalid: metadata.labels: Invalid value: "a b"`:                                                          `Pod "p" is invalid: spec.podMetadata.labels: Invalid value: "a b"`,
		`Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.newer"`:                  `the API server's pods have no such field, correct its name or remove it: unknown field "spec.podSpec.newer"`,
		`pods "p" is forbidden: minimum cpu usage per Container is 1`:                                                        `pods "p" is forbidden: minimum cpu usage per Container is 1`,
	} {
		err := pod.Create(t.Context(), &writer{err: errors.New(answer)})
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// A revision that an older version has stored, which did not know a field, is the same one for a version that does.
func TestAFieldThatTheNextVersionKnows(t *testing.T) {
	newer := v1alpha1.NewerField{Name: "newer", Value: `1`}
	for _, others := range [][]v1alpha1.NewerField{nil, {newer}} {
		stored, err := encode(qworker("a"), revisionOf(func(c *Content) {
			c.Newer = append([]v1alpha1.NewerField{{Name: "hostname", Value: `"h"`}}, others...)
		}).Content, Config{}, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		want := revisionOf(func(c *Content) { c.PodSpec.Hostname, c.Newer = "h", others }).Content
		if !got.Equal(want) {
			t.Errorf("it is another revision:\n%s", cmp.Diff(want, got.Content))
		}
	}
}

// A content without such fields is stored as it always was, and so has the hash that it had.
func TestContentWithoutNewerFieldsIsStoredAsBefore(t *testing.T) {
	data, err := json.Marshal(revisionOf(nil).Content)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"podSpec":{"containers":[{"name":"worker","image":"w:1","resources":{}}]},"queue":"q","connection":`; len(data) < len(want) || string(data[:len(want)]) != want {
		t.Errorf("it is %s", data)
	}
}

func TestWarningsOfThePodHaveTheUsersPaths(t *testing.T) {
	r := revisionOf(func(c *Content) { c.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "A"}, {Name: "A"}} })
	pod := r.Make("p", PodOptions{Owner: qworker("a")})
	second := len(pod.Spec.Containers[0].Env) - 1
	w := &writer{warning: fmt.Sprintf(`spec.containers[0].env[%d]: hides previous definition of "A"`, second)}
	var lines strings.Builder
	if err := pod.Create(logr.NewContext(t.Context(), logs.New(&lines, logs.Options{})), w); err != nil {
		t.Fatal(err)
	}
	if want := `spec.podSpec.containers[0].env[1]: hides previous definition`; !strings.Contains(lines.String(), want) || !strings.Contains(lines.String(), "level=WARN") {
		t.Errorf("the log has %q, want the warning %s", lines.String(), want)
	}
}
