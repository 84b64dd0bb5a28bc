package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// images maps images to what stands for them on this machine.
type images map[string][]string

// program is what stands for an image: what is mapped to exactly this one, else to its repository without a tag, else
// to its repository with any tag, where that is one.
func (m images) program(image string) ([]string, error) {
	repository := repositoryOf(image)
	for _, name := range []string{image, repository} {
		if program, ok := m[name]; ok {
			return program, nil
		}
	}
	var found []string
	for name := range m {
		if repositoryOf(name) == repository {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return nil, imageError{image: image, mapped: slices.Sorted(maps.Keys(m))}
	}
	return m[found[0]], nil
}

// repositoryOf is an image without its tag and its digest. A colon before the last slash belongs to a port.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return image
}

// imageError is an image that is not mapped to a command.
type imageError struct {
	image  string
	mapped []string
}

func (e imageError) Error() string {
	mapped := "no image is"
	if len(e.mapped) > 0 {
		mapped = "mapped are " + strings.Join(e.mapped, ", ")
	}
	return fmt.Sprintf("local mode pulls no images, and image %q is mapped to no command of this machine: start local mode with "+
		"--image %s=COMMAND, or give the container a command; %s", e.image, repositoryOf(e.image), mapped)
}

// next is ErrImagePull at first and ImagePullBackOff from then on, as a kubelet alternates.
func (e imageError) next(waiting *corev1.ContainerStateWaiting) *corev1.ContainerStateWaiting {
	reason := "ErrImagePull"
	if waiting != nil && (waiting.Reason == "ErrImagePull" || waiting.Reason == "ImagePullBackOff") {
		reason = "ImagePullBackOff"
	}
	return &corev1.ContainerStateWaiting{Reason: reason, Message: e.Error()}
}
