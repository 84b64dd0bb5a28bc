package revision

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestValidate(t *testing.T) {
	mount := func(path string) func(*Content) {
		return func(c *Content) {
			c.PodSpec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "x", MountPath: "/data"}, {Name: "x", MountPath: path}}
		}
	}
	refused := func(path, own string) []string {
		return []string{`podSpec.containers[0].volumeMounts[1].mountPath of container "worker" is "` + path + `": ` + own + ` and what is below it are the operator's; mount yours elsewhere`}
	}
	cases := map[string]struct {
		shape func(*Content)
		want  []string
	}{
		"a plain pod":                  {nil, nil},
		"99 fields that are not known": {func(c *Content) { c.Newer = make([]v1alpha1.NewerField, 99) }, nil},
		"a hundred": {
			func(c *Content) {
				c.Newer = append([]v1alpha1.NewerField{{Name: "first"}}, slices.Repeat([]v1alpha1.NewerField{{Name: "newer"}}, 99)...)
			},
			[]string{"podSpec has 100 fields or more that QScaler does not know, such as first; at most 99 are put into pods: correct or remove them"},
		},
		"a volume of the drain file's name": {
			func(c *Content) { c.PodSpec.Volumes = []corev1.Volume{{Name: "mine"}, {Name: "qscaler-drain"}} },
			[]string{`podSpec.volumes[1].name is "qscaler-drain", which is the name of the volume that the operator mounts at /etc/qscaler; rename yours`},
		},
		"a volume of the name of the broker's": {
			func(c *Content) { c.PodSpec.Volumes = []corev1.Volume{{Name: "qscaler-broker"}} },
			[]string{`podSpec.volumes[0].name is "qscaler-broker", which is the name of the volume that the operator mounts at /etc/qscaler-broker; rename yours`},
		},
		"a mount over the drain file":              {mount("/etc/qscaler"), refused("/etc/qscaler", "/etc/qscaler")},
		"a mount over it, written otherwise":       {mount("/etc/./qscaler/"), refused("/etc/./qscaler/", "/etc/qscaler")},
		"a mount of the drain file":                {mount("/etc/qscaler/drain"), refused("/etc/qscaler/drain", "/etc/qscaler")},
		"a mount far below":                        {mount("/etc/qscaler/a/b"), refused("/etc/qscaler/a/b", "/etc/qscaler")},
		"a mount of the broker's files":            {mount("/etc/qscaler-broker/ca.crt"), refused("/etc/qscaler-broker/ca.crt", "/etc/qscaler-broker")},
		"a mount with a similar name":              {mount("/etc/qscaler2"), nil},
		"a mount above":                            {mount("/etc"), nil},
		"a relative mount, which is from the root": {mount("etc/qscaler"), refused("etc/qscaler", "/etc/qscaler")},
		"a device, and an init container": {
			func(c *Content) {
				c.PodSpec.InitContainers = []corev1.Container{{
					Name:          "init",
					VolumeMounts:  []corev1.VolumeMount{{Name: "x", MountPath: "/etc/qscaler/x"}},
					VolumeDevices: []corev1.VolumeDevice{{Name: "y", DevicePath: "/etc/qscaler/y"}},
				}}
			},
			[]string{
				`podSpec.initContainers[0].volumeDevices[0].devicePath of container "init" is "/etc/qscaler/y": /etc/qscaler and what is below it are the operator's; mount yours elsewhere`,
				`podSpec.initContainers[0].volumeMounts[0].mountPath of container "init" is "/etc/qscaler/x": /etc/qscaler and what is below it are the operator's; mount yours elsewhere`,
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			if err := revisionOf(c.shape).Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}
