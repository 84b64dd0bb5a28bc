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

// longestMessage bounds the message of a failed pull in bytes, where the image's name allows it: a condition of a QWorker
// shows 300 characters, the reason among them.
const longestMessage = 270

// Error says the cause and the remedy first, and then as many of the mapped images as there is room for.
func (e imageError) Error() string {
	message := fmt.Sprintf("local mode pulls no images, and this one is mapped to no command of this machine: start local mode with "+
		"--image %s=COMMAND, or give the container a command; ", repositoryOf(e.image))
	if len(e.mapped) == 0 {
		return message + "no image is mapped"
	}
	for shown := len(e.mapped); shown > 0; shown-- {
		if whole := message + "mapped are " + e.names(shown); len(whole) <= longestMessage {
			return whole
		}
	}
	return message + fmt.Sprintf("%d others are mapped", len(e.mapped))
}

// names are the first of the mapped images, and how many there are besides.
func (e imageError) names(shown int) string {
	names := strings.Join(e.mapped[:shown], ", ")
	if rest := len(e.mapped) - shown; rest > 0 {
		names += fmt.Sprintf(" and %d more", rest)
	}
	return names
}

// next is ErrImagePull at first and ImagePullBackOff from then on, as a kubelet alternates.
func (e imageError) next(waiting *corev1.ContainerStateWaiting) *corev1.ContainerStateWaiting {
	reason := "ErrImagePull"
	if waiting != nil && (waiting.Reason == "ErrImagePull" || waiting.Reason == "ImagePullBackOff") {
		reason = "ImagePullBackOff"
	}
	return &corev1.ContainerStateWaiting{Reason: reason, Message: e.Error()}
}
