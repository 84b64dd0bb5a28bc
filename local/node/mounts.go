package node

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// mounts says where on this machine the paths are that a container knows its volumes by. A process has no
// file system of its own, so values that point into a mount path are rewritten: the environment variable
// QSCALER_DRAIN_FILE=/etc/qscaler/drain becomes the path of this pod's own file. A path that a program has
// built in cannot be helped.
type mounts []mount

type mount struct {
	path string // as the container knows it, without a slash at the end
	dir  string // as it is
}

// mountsOf puts the longest paths first, so that the innermost mount wins.
func mountsOf(c *corev1.Container, volumes map[string]string) (mounts, error) {
	var list mounts
	for _, m := range c.VolumeMounts {
		dir, ok := volumes[m.Name]
		if !ok {
			return nil, fmt.Errorf("volume %q is none that local mode knows", m.Name)
		}
		if m.SubPathExpr != "" {
			return nil, fmt.Errorf("mount of volume %q: local mode does not know subPathExpr", m.Name)
		}
		path := filepath.Clean(m.MountPath)
		if path == "/" {
			continue // everything is below it
		}
		list = append(list, mount{path: path, dir: filepath.Join(dir, m.SubPath)})
	}
	slices.SortStableFunc(list, func(a, b mount) int { return cmp.Compare(len(b.path), len(a.path)) })
	return list, nil
}

// rewrite replaces every mount path that stands in s as a path, or as the beginning of one. It looks at
// each place of s once: what it has put in is not rewritten again.
func (m mounts) rewrite(s string) string {
	if len(m) == 0 {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		if found, ok := m.at(s, i); ok {
			out.WriteString(found.dir)
			i += len(found.path)
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}

// at finds the mount whose path stands in s at i.
func (m mounts) at(s string, i int) (mount, bool) {
	if s[i] != '/' || (i > 0 && inName(s[i-1])) {
		return mount{}, false
	}
	for _, candidate := range m {
		rest, ok := strings.CutPrefix(s[i:], candidate.path)
		if ok && (rest == "" || rest[0] == '/' || !inName(rest[0])) {
			return candidate, true
		}
	}
	return mount{}, false
}

// inName reports whether a character can be part of a path's element, or joins two.
func inName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._-@+~%", c) >= 0
}

// workingDir is where a container's process begins. A directory that is in no mount is below the pod's own.
func workingDir(root, wanted string, m mounts) (string, error) {
	dir := m.rewrite(wanted)
	if dir == wanted {
		dir = filepath.Join(root, filepath.Clean("/"+wanted))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the working directory %s, %w", wanted, err)
	}
	return dir, nil
}
