package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// volumeRetry is the pause before volumes are tried again whose objects are missing.
const volumeRetry = time.Second

// prepareVolumes makes the pod's volumes, which may need the API server.
func (r *runner) prepareVolumes(now time.Time) {
	if r.preparing {
		return
	}
	if now.Before(r.volumesAt) {
		r.wakeBy(r.volumesAt)
		return
	}
	r.preparing = true
	pod, ip := r.pod, r.ip
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, callTimeout)
		defer cancel()
		volumes, err := r.node.makeVolumes(ctx, pod, ip)
		r.post(func() {
			r.preparing = false
			if err != nil {
				r.volumeNote = err.Error()
				r.volumesAt = time.Now().Add(volumeRetry)
				return
			}
			r.volumes, r.volumeNote = volumes, ""
			r.projected = nil // the pod may have changed since
		})
	}()
}

// makeVolumes makes a directory for each volume.
func (n *Node) makeVolumes(ctx context.Context, pod *corev1.Pod, ip string) (map[string]string, error) {
	volumes := map[string]string{}
	if err := os.MkdirAll(filepath.Join(n.podDir(pod.UID), "root"), 0o755); err != nil {
		return nil, err
	}
	s := sources{node: n, pod: pod, ip: ip, objects: n.newObjects(pod.Namespace)}
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if volume.HostPath != nil {
			volumes[volume.Name] = volume.HostPath.Path
			continue
		}
		dir := n.volumeDir(pod, volume.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		volumes[volume.Name] = dir
		if volume.EmptyDir != nil {
			continue
		}
		files, err := s.files(ctx, &volume.VolumeSource)
		if err != nil {
			return nil, fmt.Errorf("volume %q, %w", volume.Name, err)
		}
		if err := project(dir, files); err != nil {
			return nil, fmt.Errorf("volume %q, %w", volume.Name, err)
		}
	}
	return volumes, nil
}

func (n *Node) volumeDir(pod *corev1.Pod, volume string) string {
	return filepath.Join(n.podDir(pod.UID), "volumes", volume)
}

// refreshVolumes projects labels and annotations anew when they have changed. It needs no API server: this
// is how a grant reaches a worker. Secrets and ConfigMaps stay as they were when the pod began.
func (r *runner) refreshVolumes() {
	if r.volumes == nil || r.projected != nil && maps.Equal(r.projected.Annotations, r.pod.Annotations) && maps.Equal(r.projected.Labels, r.pod.Labels) {
		return
	}
	r.projected = r.pod
	s := sources{node: r.node, pod: r.pod, ip: r.ip}
	for i := range r.pod.Spec.Volumes {
		volume := &r.pod.Spec.Volumes[i]
		var items []corev1.DownwardAPIVolumeFile
		switch {
		case volume.DownwardAPI != nil:
			items = volume.DownwardAPI.Items
		case volume.Projected != nil:
			for _, source := range volume.Projected.Sources {
				if source.DownwardAPI != nil {
					items = append(items, source.DownwardAPI.Items...)
				}
			}
		}
		if len(items) == 0 {
			continue
		}
		files := projection{}
		err := s.downward(files, items)
		if err == nil {
			err = reproject(r.volumes[volume.Name], files)
		}
		if err != nil {
			r.node.options.Log.Error(err, "Refreshing a volume", "pod", r.namespace+"/"+r.name, "volume", volume.Name)
		}
	}
}
