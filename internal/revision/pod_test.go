package revision

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/worker/contract"
)

func qworker(name string) *v1alpha1.QWorker {
	return &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-of-" + name[:1])}}
}

func revisionOf(shape func(*Content)) Revision {
	c := Content{
		PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "w:1"}}},
		Queue:   "q",
	}
	if shape != nil {
		shape(&c)
	}
	return Revision{Content: c, Hash: "r1"}
}

func envOf(c corev1.Container) map[string]string {
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
		if v.ValueFrom != nil && v.ValueFrom.FieldRef != nil {
			env[v.Name] = "<" + v.ValueFrom.FieldRef.FieldPath + ">"
		}
	}
	return env
}

func TestNewPodHasWhatAWorkerNeeds(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.InitContainers = []corev1.Container{{Name: "init"}}
		c.PodSpec.Containers = append(c.PodSpec.Containers, corev1.Container{Name: "sidecar"})
	})
	pod := r.NewPod("a-1", PodOptions{Owner: qworker("a$b"), Published: "r0", Failures: 1})

	wantEnv := map[string]string{
		"QSCALER_DRAIN_FILE": "/etc/qscaler/drain", "QWORKER_NAME": "a$$b", "POD_SPEC_HASH": "r0",
		"POD_NAME": "<metadata.name>", "QSCALER_QUEUE": "q",
	}
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		env := envOf(c)
		for name, want := range wantEnv {
			if env[name] != want {
				t.Errorf("container %s: %s = %q, want %q", c.Name, name, env[name], want)
			}
		}
		want := []corev1.VolumeMount{{Name: "qscaler-drain", MountPath: "/etc/qscaler", ReadOnly: true}}
		if diff := cmp.Diff(want, c.VolumeMounts); diff != "" {
			t.Errorf("container %s mounts (-want +got):\n%s", c.Name, diff)
		}
	}
	if got := pod.Spec.Volumes[0].DownwardAPI.Items[0].FieldRef.FieldPath; got != "metadata.annotations['quickube.com/drain']" {
		t.Errorf("the drain file projects %s", got)
	}
	wantLabels := map[string]string{"quickube.com/qworker": "a$b", "quickube.com/qworker-uid": "uid-of-a", "quickube.com/pod-spec-hash": "r1"}
	if diff := cmp.Diff(wantLabels, pod.Labels); diff != "" {
		t.Errorf("labels, with the revision's own hash (-want +got):\n%s", diff)
	}
	if got := pod.Annotations[AnnotationFailures]; got != "1" {
		t.Errorf("%s pods have failed before it, want 1", got)
	}
	if owner := metav1.GetControllerOf(pod); owner == nil || owner.UID != "uid-of-a" {
		t.Errorf("controller = %v, want the QWorker by its UID", owner)
	}
}

// A bundle of authorities can be longer than a variable may be. The drain file's volume has none of it: the kubelet
// refreshes no file of a volume while a Secret of it is missing.
func TestNewPodHasTheFilesOfTheBroker(t *testing.T) {
	pod := revisionOf(func(c *Content) {
		c.PodSpec.InitContainers = []corev1.Container{{Name: "init"}}
		c.Connection.TLS = connection.TLSRef{Enabled: true, CA: connection.KeyRef{Name: "authorities", Key: "bundle"}, ClientCert: "mine"}
	}).NewPod("a-1", PodOptions{Owner: qworker("a")})
	secret := func(name string, items ...corev1.KeyToPath) corev1.VolumeProjection {
		return corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Items: items}}
	}
	want := []corev1.Volume{drainVolume(), {Name: "qscaler-broker", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			secret("authorities", corev1.KeyToPath{Key: "bundle", Path: "ca.crt"}),
			secret("mine", corev1.KeyToPath{Key: "tls.crt", Path: "tls.crt"}, corev1.KeyToPath{Key: "tls.key", Path: "tls.key"}),
		},
	}}}}
	if diff := cmp.Diff(want, pod.Spec.Volumes); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		want := []corev1.VolumeMount{
			{Name: "qscaler-drain", MountPath: "/etc/qscaler", ReadOnly: true},
			{Name: "qscaler-broker", MountPath: "/etc/qscaler-broker", ReadOnly: true},
		}
		if diff := cmp.Diff(want, c.VolumeMounts); diff != "" {
			t.Errorf("container %s mounts (-want +got):\n%s", c.Name, diff)
		}
	}
}

// One file is reason enough for the volume.
func TestNewPodHasTheOneFileOfTheBroker(t *testing.T) {
	pod := revisionOf(func(c *Content) {
		c.Connection.TLS = connection.TLSRef{Enabled: true, CA: connection.KeyRef{Name: "authorities", Key: "bundle"}}
	}).NewPod("a-1", PodOptions{Owner: qworker("a")})
	if n := len(pod.Spec.Volumes); n != 2 || pod.Spec.Volumes[1].Name != "qscaler-broker" || len(pod.Spec.Volumes[1].Projected.Sources) != 1 {
		t.Errorf("%d volumes: %+v", n, pod.Spec.Volumes)
	}
}

func TestNewPodDefaults(t *testing.T) {
	cases := map[string]struct {
		shape  func(*Content)
		policy corev1.RestartPolicy
		grace  int64
	}{
		"what is open is filled": {nil, corev1.RestartPolicyOnFailure, 600},
		"the pod spec's own stays": {func(c *Content) {
			c.PodSpec.RestartPolicy = "Never"
			c.PodSpec.TerminationGracePeriodSeconds = ptr.To[int64](5)
		}, corev1.RestartPolicyNever, 5},
		"maxTaskDuration is the grace period, rounded up": {func(c *Content) {
			c.Drain.MaxTaskDuration = &metav1.Duration{Duration: 90*time.Second + time.Millisecond}
		}, corev1.RestartPolicyOnFailure, 91},
		"the pod spec's own grace period wins": {func(c *Content) {
			c.Drain.MaxTaskDuration = &metav1.Duration{Duration: time.Hour}
			c.PodSpec.TerminationGracePeriodSeconds = ptr.To[int64](7)
		}, corev1.RestartPolicyOnFailure, 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := revisionOf(c.shape).NewPod("p", PodOptions{Owner: qworker("a")}).Spec
			if spec.RestartPolicy != c.policy || *spec.TerminationGracePeriodSeconds != c.grace {
				t.Errorf("restartPolicy %s, grace %d; want %s, %d", spec.RestartPolicy, *spec.TerminationGracePeriodSeconds, c.policy, c.grace)
			}
		})
	}
}

func TestNodeAutoscalersAreTold(t *testing.T) {
	const safe, disrupt = "cluster-autoscaler.kubernetes.io/safe-to-evict", "karpenter.sh/do-not-disrupt"
	lasting := func(d time.Duration) func(*Content) {
		return func(c *Content) { c.Drain.MaxTaskDuration = &metav1.Duration{Duration: d} }
	}
	cases := map[string]struct {
		shape func(*Content)
		want  map[string]string
	}{
		"a task of any length is not interrupted": {nil, map[string]string{safe: "false", disrupt: "true"}},
		"one of 10 minutes has its time":          {lasting(10 * time.Minute), map[string]string{safe: "true"}},
		"one of more has not":                     {lasting(10*time.Minute + time.Second), map[string]string{safe: "false", disrupt: "true"}},
		"nor one with a shorter grace period": {func(c *Content) {
			lasting(time.Minute)(c)
			c.PodSpec.TerminationGracePeriodSeconds = ptr.To[int64](30)
		}, map[string]string{safe: "false", disrupt: "true"}},
		"the user's own win": {func(c *Content) {
			c.PodMetadata.Annotations = map[string]string{safe: "true", disrupt: "false"}
		}, map[string]string{safe: "true", disrupt: "false"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := revisionOf(c.shape).NewPod("p", PodOptions{Owner: qworker("a")}).Annotations
			delete(got, AnnotationRevision)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

// A worker is told its consumer group where it has one, as it stands.
func TestNewPodIsToldItsConsumerGroup(t *testing.T) {
	for group, want := range map[string]string{"": "", "sen$ders": "sen$$ders"} {
		pod := revisionOf(func(c *Content) { c.Group = group }).NewPod("p", PodOptions{Owner: qworker("a")})
		got, told := envOf(pod.Spec.Containers[0])["QSCALER_CONSUMER_GROUP"]
		if got != want || told != (group != "") {
			t.Errorf("of the group %q the worker is told %q (%t)", group, got, told)
		}
	}
}

func TestInjectedEnvironmentComesFirstAndTheUsersWins(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.Containers[0].Env = []corev1.EnvVar{
			{Name: "MINE", Value: "$(QSCALER_QUEUE)-x"}, {Name: "POD_NAME", Value: "my-own"},
		}
	})
	env := r.NewPod("p", PodOptions{Owner: qworker("a")}).Spec.Containers[0].Env
	var names []string
	for _, v := range env {
		names = append(names, v.Name)
	}
	want := []string{"QSCALER_DRAIN_FILE", "QWORKER_NAME", "POD_SPEC_HASH", "QSCALER_QUEUE", "MINE", "POD_NAME"}
	if diff := cmp.Diff(want, names[:4], cmp.Transformer("head", func(s []string) []string { return s[:4] })); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if got := names[len(names)-2:]; got[0] != "MINE" || got[1] != "POD_NAME" {
		t.Errorf("the user's own come last and once, got %v", names)
	}
	if n := strings.Count(strings.Join(names, " "), "POD_NAME"); n != 1 {
		t.Errorf("POD_NAME stands %d times, want once", n)
	}
}

// The prototype shared a slice of containers: the k-th pod of a burst carried 2k copies of the environment.
func TestPodsOfABurstAreAlikeAndTheRevisionStays(t *testing.T) {
	r := revisionOf(func(c *Content) {
		c.PodSpec.Containers[0].Env = make([]corev1.EnvVar, 1, 32)
		c.PodSpec.Containers[0].Env[0] = corev1.EnvVar{Name: "A", Value: "b"}
		c.PodMetadata.Labels = map[string]string{"team": "x"}
		c.PodMetadata.Annotations = map[string]string{"note": "y"}
	})
	before := *r.PodSpec.DeepCopy()
	o := PodOptions{Owner: qworker("a"), Failures: 2}
	first := r.NewPod("p", o)
	for range 9 {
		r.NewPod("p", o)
	}
	if diff := cmp.Diff(first, r.NewPod("p", o)); diff != "" {
		t.Errorf("the eleventh pod differs from the first:\n%s", diff)
	}
	if diff := cmp.Diff(before, r.PodSpec); diff != "" {
		t.Errorf("the revision has changed:\n%s", diff)
	}
	if len(r.PodMetadata.Labels) != 1 || len(r.PodMetadata.Annotations) != 1 {
		t.Errorf("the pod metadata has changed: %v", r.PodMetadata)
	}
}

func TestNamesAndLabelsAreLegal(t *testing.T) {
	long := strings.Repeat("a", 253)
	for _, name := range []string{"a", "a.b", strings.Repeat("b", 63), strings.Repeat("b", 64), long, strings.Repeat("c.", 126) + "c"} {
		pod := revisionOf(nil).NewPod(NewPodName(qworker(name)), PodOptions{Owner: qworker(name)})
		if errs := validation.IsDNS1123Subdomain(pod.Name); len(errs) > 0 {
			t.Errorf("pod name %q: %v", pod.Name, errs)
		}
		for key, value := range pod.Labels {
			if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
				t.Errorf("label %s=%q: %v", key, value, errs)
			}
		}
	}
	for length, want := range map[int]bool{63: true, 64: false} {
		pod := revisionOf(nil).NewPod("p", PodOptions{Owner: qworker(strings.Repeat("b", length))})
		if _, got := pod.Labels[contract.LabelQWorker]; got != want {
			t.Errorf("a QWorker with a name of %d characters is a label: %t, want %t", length, got, want)
		}
	}
	if NamePrefix(qworker("a")) == NamePrefix(&v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: "another"}}) {
		t.Error("two QWorkers of one name share a prefix; their processing lists would be mixed up")
	}
}

func TestOnlyItsOwnNamesAreAQWorkersPods(t *testing.T) {
	web := qworker("web")
	nested := qworker(strings.TrimSuffix(NamePrefix(web), "-")) // somebody copied it from a pod's name
	cases := map[string]struct {
		name string
		want bool
	}{
		"its own":                               {NewPodName(web), true},
		"of a QWorker whose name goes on":       {NewPodName(qworker("web-b")), false},
		"of a QWorker that is named like a pod": {NewPodName(nested), false},
		"with a part more":                      {NamePrefix(web) + "abcd-fghij", false},
		"shorter":                               {NamePrefix(web) + "abcdefghi", false},
		"longer":                                {NamePrefix(web) + "abcdefghijk", false},
		"a namesake's":                          {NewPodName(&v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "another"}}), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := IsPodName(web, c.name); got != c.want {
				t.Errorf("IsPodName(web, %q) = %t", c.name, got)
			}
		})
	}
	if !strings.HasPrefix(NewPodName(nested), NamePrefix(web)) {
		t.Error("the case of a QWorker that is named like a pod is none any more")
	}
}

func TestContentEqual(t *testing.T) {
	base := func() Content { return revisionOf(nil).Content }
	cases := map[string]struct {
		change func(*Content)
		equal  bool
	}{
		"the same":              {func(*Content) {}, true},
		"an empty list is none": {func(c *Content) { c.PodSpec.Volumes = []corev1.Volume{} }, true},
		"another image":         {func(c *Content) { c.PodSpec.Containers[0].Image = "w:2" }, false},
		"another label":         {func(c *Content) { c.PodMetadata.Labels = map[string]string{"a": "b"} }, false},
		"another queue":         {func(c *Content) { c.Queue = "r" }, false},
		"a consumer group":      {func(c *Content) { c.Group = "g" }, false},
		"another connection":    {func(c *Content) { c.Connection = connection.Spec{Host: "h"} }, false},
		"mode Grant is the default": {func(c *Content) {
			*c = ContentOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{
				PodSpec: c.PodSpec, ScaleConfig: v1alpha1.ScaleConfig{Queue: "q"}, Drain: &v1alpha1.DrainSpec{Mode: "Grant"},
			}}, connection.Spec{})
		}, true},
		"a drain of its own": {func(c *Content) {
			*c = ContentOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{
				PodSpec: c.PodSpec, ScaleConfig: v1alpha1.ScaleConfig{Queue: "q"}, Drain: &v1alpha1.DrainSpec{Mode: "Signal"},
			}}, connection.Spec{})
		}, false},
		"pod metadata of its own": {func(c *Content) {
			*c = ContentOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{
				PodSpec: c.PodSpec, ScaleConfig: v1alpha1.ScaleConfig{Queue: "q"},
				PodMetadata: &v1alpha1.PodMetadata{Labels: map[string]string{"a": "b"}},
			}}, connection.Spec{})
		}, false},
		"mode Signal":             {func(c *Content) { c.Drain.Mode = "Signal" }, false},
		"another maxTaskDuration": {func(c *Content) { c.Drain.MaxTaskDuration = &metav1.Duration{Duration: 1} }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			other := base()
			c.change(&other)
			if got := base().Equal(other); got != c.equal {
				t.Errorf("Equal = %t, want %t", got, c.equal)
			}
		})
	}
}

func TestWorkerContainer(t *testing.T) {
	two := func(c *Content) {
		c.PodSpec.Containers = []corev1.Container{{Name: "proxy"}, {Name: "worker"}}
	}
	named := func(name string) func(*Content) {
		return func(c *Content) {
			two(c)
			c.PodMetadata.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": name}
		}
	}
	cases := map[string]struct {
		shape func(*Content)
		want  string
	}{
		"the first":                        {two, "proxy"},
		"the one that is named":            {named("worker"), "worker"},
		"the first when the name is wrong": {named("nobody"), "proxy"},
		"the only one":                     {nil, "worker"},
		"none":                             {func(c *Content) { c.PodSpec.Containers = nil }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := revisionOf(c.shape).WorkerContainer(); got != c.want {
				t.Errorf("WorkerContainer = %q, want %q", got, c.want)
			}
		})
	}
}
