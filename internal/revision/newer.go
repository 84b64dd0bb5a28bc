package revision

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/worker/contract"
)

// learn puts those fields of the pod spec into their places that this version of the program knows and the one that has
// stored the revision did not. Without, an upgrade would take each such revision for another one.
func (c *Content) learn() error {
	whole, err := v1alpha1.JoinPodSpec(&c.PodSpec, c.Newer)
	if err != nil {
		return err
	}
	c.PodSpec, c.Newer, err = v1alpha1.SplitPodSpec(whole)
	return err
}

// Pod is a pod to create.
type Pod struct {
	*corev1.Pod
	// Newer are the fields of its spec that this program does not know.
	Newer []v1alpha1.NewerField
	// injected is how many variables come before the user's own, by container, such as containers[0].
	injected map[string]int
}

// Make makes a pod of the revision, as NewPod does, with all that its user wrote.
func (r Revision) Make(name string, o PodOptions) Pod {
	pod := Pod{Pod: r.NewPod(name, o), injected: map[string]int{}}
	for list, containers := range map[string][2][]corev1.Container{
		"initContainers": {r.PodSpec.InitContainers, pod.Spec.InitContainers}, "containers": {r.PodSpec.Containers, pod.Spec.Containers},
	} {
		for i := range containers[0] {
			pod.injected[list+"["+strconv.Itoa(i)+"]"] = len(containers[1][i].Env) - len(containers[0][i].Env)
		}
	}
	for _, field := range r.Newer {
		field.Of = pod.shifted(field.Of, +1)
		pod.Newer = append(pod.Newer, field)
	}
	return pod
}

// envPath is the path of a container's variable.
var envPath = regexp.MustCompile(`\b((?:initContainers|containers)\[\d+\])\.env\[(\d+)\]`)

// shifted is a text with the paths of variables as the pod has them, with +1, or as the user has, with -1.
func (p Pod) shifted(text string, by int) string {
	return envPath.ReplaceAllStringFunc(text, func(path string) string {
		parts := envPath.FindStringSubmatch(path)
		i, err := strconv.Atoi(parts[2])
		if err != nil {
			return path
		}
		return parts[1] + ".env[" + strconv.Itoa(max(i+by*p.injected[parts[1]], 0)) + "]"
	})
}

// Create creates the pod. Where it has fields that this program does not know, the API server is to know them: it would
// else leave them out, and the worker would run without. An error names fields as the QWorker has them, and so do the
// API server's warnings in the log.
func (p Pod) Create(ctx context.Context, c client.Writer, options ...client.CreateOption) error {
	ctx = logs.About(ctx, p.Labels[contract.LabelQWorkerUID]+"/"+p.Labels[contract.LabelPodSpecHash], p.usersPaths)
	if len(p.Newer) == 0 {
		return p.inUsersPaths(c.Create(ctx, p.Pod, options...))
	}
	object, err := p.whole()
	if err != nil {
		return err
	}
	if err := c.Create(ctx, object, append(options, client.FieldValidation("Strict"))...); err != nil {
		return p.inUsersPaths(err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, p.Pod)
}

// whole is the pod with all fields.
func (p Pod) whole() (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p.Pod)
	if err != nil {
		return nil, fmt.Errorf("writing the pod with all fields, %w", err)
	}
	spec, ok := fields["spec"].(map[string]any)
	if !ok {
		return nil, errors.New("the pod has no spec")
	}
	if err := v1alpha1.AddNewer(spec, p.Newer); err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{Object: fields}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return object, nil
}

// usersWords is an answer of the API server with the paths of a QWorker.
type usersWords struct {
	error
	words string
}

func (e usersWords) Error() string { return e.words }
func (e usersWords) Unwrap() error { return e.error }

var (
	podSpecPath     = regexp.MustCompile(`(^|[\s\["(])spec\.([a-z])`)
	podMetadataPath = regexp.MustCompile(`(^|[\s\["(])metadata\.(labels|annotations)\b`)
)

func (p Pod) inUsersPaths(err error) error {
	if err == nil {
		return nil
	}
	words := p.usersPaths(err.Error())
	// The rest of this sentence is about the version of the program that reads it.
	words = strings.ReplaceAll(words, `Pod in version "v1" cannot be handled as a Pod: strict decoding error: `, "the API server's pods have no such field, correct its name or remove it: ")
	return usersWords{err, words}
}

// usersPaths is a text with the paths of a QWorker.
func (p Pod) usersPaths(text string) string {
	words := p.shifted(text, -1)
	words = podSpecPath.ReplaceAllString(words, "${1}spec.podSpec.$2")
	return podMetadataPath.ReplaceAllString(words, "${1}spec.podMetadata.$2")
}
