package revision

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// AnnotationFailures holds how many pods of the revision had failed in a row when the pod was created. The
// back-off is read from it, so that a restart of the operator does not forget it.
const AnnotationFailures = "quickube.com/failures"

// defaultGracePeriodSeconds is a pod's grace period where neither its spec nor maxTaskDuration gives one:
// longer than most tasks, and short enough for a node drain.
const defaultGracePeriodSeconds = 600

// PodOptions is what a pod depends on beside its revision.
type PodOptions struct {
	Owner *v1alpha1.QWorker
	// Broker is the environment in which a worker finds the broker.
	Broker []corev1.EnvVar
	// Published is the hash for the worker's environment. A canary carries the published one there, so
	// that a worker that compares it with status.currentPodSpecHash does not leave at once.
	Published string
	// Fingerprint is that of the broker's password, "" where there is none or nobody knows.
	Fingerprint string
	// OtherConfig is true where a Secret or ConfigMap has another content than the revision's.
	OtherConfig bool
	// Failures is the level of the revision's back-off.
	Failures int
}

// NewPod makes a pod of the revision under a name from NewPodName.
func (r Revision) NewPod(name string, o PodOptions) *corev1.Pod {
	labels := maps.Clone(r.PodMetadata.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, ownLabels(o.Owner, r.Hash))
	annotations := r.evictionAnnotations()
	maps.Copy(annotations, r.PodMetadata.Annotations)
	annotations[AnnotationRevision] = r.annotation()
	if o.Fingerprint != "" && r.takesPassword() {
		annotations[AnnotationPasswordFingerprint] = o.Fingerprint
	}
	if o.OtherConfig {
		annotations[annotationOtherConfig] = "true"
	}
	if o.Failures > 0 {
		annotations[AnnotationFailures] = strconv.Itoa(o.Failures)
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       o.Owner.Namespace,
			Name:            name,
			Labels:          labels,
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(o.Owner, v1alpha1.GroupVersion.WithKind("QWorker"))},
		},
		Spec: r.podSpec(o),
	}
}

// podSpec is the user's, copied, with what a worker needs.
func (r Revision) podSpec(o PodOptions) corev1.PodSpec {
	spec := *r.PodSpec.DeepCopy()
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyOnFailure
	}
	spec.TerminationGracePeriodSeconds = ptr.To(r.GracePeriodSeconds())
	volumes := r.volumes()
	spec.Volumes = append(spec.Volumes, volumes...)
	env := r.env(o)
	for i := range spec.InitContainers {
		inject(&spec.InitContainers[i], env, volumes)
	}
	for i := range spec.Containers {
		inject(&spec.Containers[i], env, volumes)
	}
	return spec
}

// GracePeriodSeconds is how long a worker has between SIGTERM and SIGKILL: the pod spec's own, else
// maxTaskDuration, else 10 minutes.
func (c Content) GracePeriodSeconds() int64 {
	switch {
	case c.PodSpec.TerminationGracePeriodSeconds != nil:
		return *c.PodSpec.TerminationGracePeriodSeconds
	case c.Drain.MaxTaskDuration != nil:
		return int64(math.Ceil(c.Drain.MaxTaskDuration.Seconds()))
	default:
		return defaultGracePeriodSeconds
	}
}

// env is the environment that a worker gets; see the package worker/contract.
func (r Revision) env(o PodOptions) []corev1.EnvVar {
	env := append([]corev1.EnvVar{
		{Name: contract.EnvDrainFile, Value: contract.DrainFile},
		{Name: contract.EnvQWorkerName, Value: o.Owner.Name},
		{Name: contract.EnvPodSpecHash, Value: o.Published},
		{Name: contract.EnvPodName, ValueFrom: fieldRef("metadata.name")},
		{Name: contract.EnvQueue, Value: r.Queue},
	}, r.groupEnv()...)
	env = append(env, o.Broker...)
	for i := range env {
		// Kubernetes expands $(VAR) in a value; $$ is a dollar sign that it leaves alone.
		env[i].Value = strings.ReplaceAll(env[i].Value, "$", "$$")
	}
	return env
}

// groupEnv is what a worker must know to read as its consumer group.
func (c Content) groupEnv() []corev1.EnvVar {
	if c.Group == "" {
		return nil
	}
	return []corev1.EnvVar{{Name: contract.EnvConsumerGroup, Value: c.Group}}
}

// inject puts the environment first, so that $(VAR) in the user's own values can refer to it, and leaves
// out what the user has set.
func inject(c *corev1.Container, env []corev1.EnvVar, volumes []corev1.Volume) {
	own := make([]corev1.EnvVar, 0, len(env)+len(c.Env))
	for _, v := range env {
		taken := slices.ContainsFunc(c.Env, func(u corev1.EnvVar) bool { return u.Name == v.Name })
		if !taken {
			own = append(own, *v.DeepCopy())
		}
	}
	c.Env = append(own, c.Env...)
	for _, v := range volumes {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: v.Name, MountPath: ownVolumes[v.Name], ReadOnly: true})
	}
}

// ownVolumes are the operator's, and where each is mounted.
var ownVolumes = map[string]string{
	contract.DrainVolume:  contract.DrainDirectory,
	contract.BrokerVolume: contract.BrokerDirectory,
}

// volumes are those that a worker gets. The drain file's is apart: the kubelet refreshes none of a volume's files while
// a Secret of it is missing.
func (r Revision) volumes() []corev1.Volume {
	volumes := []corev1.Volume{drainVolume()}
	if files := r.Connection.Files(); len(files) > 0 {
		volumes = append(volumes, corev1.Volume{Name: contract.BrokerVolume, VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: files},
		}})
	}
	return volumes
}

// drainVolume projects the pod's own annotation to the drain file.
func drainVolume() corev1.Volume {
	return corev1.Volume{Name: contract.DrainVolume, VolumeSource: corev1.VolumeSource{
		DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{
			Path:     contract.DrainFileName,
			FieldRef: fieldRef(fmt.Sprintf("metadata.annotations['%s']", contract.AnnotationDrain)).FieldRef,
		}}},
	}}
}

func fieldRef(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
}
