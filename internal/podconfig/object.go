package podconfig

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Kind is a kind of object that has configuration.
type Kind string

// The kinds.
const (
	Secret    Kind = "Secret"
	ConfigMap Kind = "ConfigMap"
)

// Object names a Secret or a ConfigMap of a namespace.
type Object struct {
	Kind Kind
	Name string
}

// String is how messages and annotations name it.
func (o Object) String() string { return string(o.Kind) + " " + o.Name }

// Reference is an object that a pod spec refers to.
type Reference struct {
	Object
	// Optional is true where the pod starts without the object, by each place that refers to it.
	Optional bool
}

// MaxReferences is how many objects of one pod spec are looked at. Of one with more they are the first by kind and name.
const MaxReferences = 64

// Of has the objects that a pod spec refers to by name, each once, ordered by kind and name: in variables, in envFrom, and in
// volumes of the types secret, configMap and projected. It leaves out what only the kubelet uses: imagePullSecrets, and the
// credentials with which volumes of other types are mounted.
func Of(spec *corev1.PodSpec) []Reference {
	found := references{}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			found.addContainer(&containers[i])
		}
	}
	for i := range spec.Volumes {
		found.addVolume(&spec.Volumes[i].VolumeSource)
	}
	list := make([]Reference, 0, len(found))
	for object, optional := range found {
		list = append(list, Reference{object, optional})
	}
	slices.SortFunc(list, func(a, b Reference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// references has whether each object is optional.
type references map[Object]bool

func (r references) add(kind Kind, name string, optional *bool) {
	if name == "" {
		return
	}
	object := Object{kind, name}
	before, known := r[object]
	r[object] = optional != nil && *optional && (before || !known)
}

func (r references) addContainer(c *corev1.Container) {
	for _, from := range c.EnvFrom {
		if s := from.SecretRef; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
		if m := from.ConfigMapRef; m != nil {
			r.add(ConfigMap, m.Name, m.Optional)
		}
	}
	for _, v := range c.Env {
		if v.ValueFrom == nil {
			continue
		}
		if s := v.ValueFrom.SecretKeyRef; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
		if m := v.ValueFrom.ConfigMapKeyRef; m != nil {
			r.add(ConfigMap, m.Name, m.Optional)
		}
	}
}

func (r references) addVolume(v *corev1.VolumeSource) {
	if s := v.Secret; s != nil {
		r.add(Secret, s.SecretName, s.Optional)
	}
	if m := v.ConfigMap; m != nil {
		r.add(ConfigMap, m.Name, m.Optional)
	}
	if v.Projected == nil {
		return
	}
	for _, source := range v.Projected.Sources {
		if s := source.Secret; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
		if m := source.ConfigMap; m != nil {
			r.add(ConfigMap, m.Name, m.Optional)
		}
	}
}
