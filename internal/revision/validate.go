package revision

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/quickube/qscaler/worker/contract"
)

// Validate reports what in the content no worker pod can be made of, and admission could not tell.
func (c Content) Validate() error {
	var errs []error
	for _, v := range c.PodSpec.Volumes {
		if v.Name == contract.DrainVolume {
			errs = append(errs, fmt.Errorf("podSpec.volumes has a volume %q, which is the name of the drain file's; rename yours", v.Name))
		}
	}
	for _, container := range slices.Concat(c.PodSpec.InitContainers, c.PodSpec.Containers) {
		for _, m := range container.VolumeMounts {
			if path.Clean(m.MountPath) == contract.DrainDirectory {
				errs = append(errs, fmt.Errorf("container %q mounts a volume at %s, where the drain file is; mount yours elsewhere", container.Name, m.MountPath))
			}
		}
	}
	return errors.Join(errs...)
}
