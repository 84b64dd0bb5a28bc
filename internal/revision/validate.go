package revision

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Validate reports why no worker pod can be made of the content, where admission could not tell.
func (c Content) Validate() error {
	var errs []error
	if len(c.Newer) >= v1alpha1.MaxNewerFields {
		errs = append(errs, fmt.Errorf("podSpec has %d fields or more that QScaler does not know, such as %s; at most %d are put into pods: correct or remove them",
			v1alpha1.MaxNewerFields, c.Newer[0].Name, v1alpha1.MaxNewerFields-1))
	}
	for i, v := range c.PodSpec.Volumes {
		if where, own := ownVolumes[v.Name]; own {
			errs = append(errs, fmt.Errorf("podSpec.volumes[%d].name is %q, which is the name of the volume that the operator mounts at %s; rename yours", i, v.Name, where))
		}
	}
	for list, containers := range map[string][]corev1.Container{"initContainers": c.PodSpec.InitContainers, "containers": c.PodSpec.Containers} {
		for i, container := range containers {
			errs = append(errs, validateMounts(fmt.Sprintf("podSpec.%s[%d]", list, i), container)...)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// validateMounts refuses what would hide the operator's files, or be hidden by them.
func validateMounts(field string, c corev1.Container) []error {
	var errs []error
	refuse := func(field, value string) {
		for _, own := range slices.Sorted(maps.Values(ownVolumes)) {
			if clean := path.Clean("/" + value); clean == own || strings.HasPrefix(clean, own+"/") {
				errs = append(errs, fmt.Errorf("%s of container %q is %q: %s and what is below it are the operator's; mount yours elsewhere", field, c.Name, value, own))
			}
		}
	}
	for i, m := range c.VolumeMounts {
		refuse(fmt.Sprintf("%s.volumeMounts[%d].mountPath", field, i), m.MountPath)
	}
	for i, d := range c.VolumeDevices {
		refuse(fmt.Sprintf("%s.volumeDevices[%d].devicePath", field, i), d.DevicePath)
	}
	return errs
}
