package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The kubelet's way to change all files of a volume at once, which programs know and rely on: the files are
// in a directory with a name of its own, the symlink ..data points to it, and what users open are symlinks
// through ..data. A change makes a new directory and swaps ..data by one rename.
//
//	drain -> ..data/drain        ..data -> ..2026_11_23_13_37_00.123        ..2026_11_23_13_37_00.123/drain
const dataLink = "..data"

// reproject changes some files of a volume and leaves the others as they are.
func reproject(dir string, changed projection) error {
	files, err := content(filepath.Join(dir, dataLink))
	if err != nil {
		return err
	}
	for name, data := range changed {
		files[filepath.Clean(name)] = data
	}
	return project(dir, files)
}

// project makes the files the volume's content; it does nothing when they are.
func project(dir string, files projection) error {
	link := filepath.Join(dir, dataLink)
	if now, err := content(link); err == nil && same(now, files) {
		return nil
	}
	fresh, err := os.MkdirTemp(dir, "..")
	if err != nil {
		return err
	}
	if err := fill(fresh, files); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	old, _ := os.Readlink(link) // none at first
	temporary := link + "_tmp"
	_ = os.Remove(temporary) // of a process that was killed
	if err := os.Symlink(filepath.Base(fresh), temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, link); err != nil {
		return err
	}
	for name := range files {
		if err := expose(dir, name); err != nil {
			return err
		}
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(dir, old))
}

func fill(dir string, files projection) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		if !strings.HasPrefix(path, dir+"/") {
			return fmt.Errorf("the path %q leads out of the volume", name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// expose makes the symlink that users open, of the first element of the path.
func expose(dir, name string) error {
	first, _, _ := strings.Cut(filepath.Clean(name), "/")
	err := os.Symlink(filepath.Join(dataLink, first), filepath.Join(dir, first))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func content(dir string) (projection, error) {
	files := projection{}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	return files, err
}

func same(a, b projection) bool {
	if len(a) != len(b) {
		return false
	}
	for name, data := range b {
		other, ok := a[filepath.Clean(name)]
		if !ok || !bytes.Equal(other, data) {
			return false
		}
	}
	return true
}
