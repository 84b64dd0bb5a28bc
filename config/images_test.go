package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pinned is an image that a digest decides. The tag beside it says to a person which one that is.
var pinned = regexp.MustCompile(`^\S+:\S+@sha256:[0-9a-f]{64}$`)

// Whoever can move a tag of a registry can put what they like below our images. A digest cannot be moved.
func TestBaseImagesAreNamedByDigest(t *testing.T) {
	files, err := filepath.Glob("../examples/*/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../Dockerfile") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bases := 0
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "FROM" {
				continue
			}
			if strings.HasPrefix(words[1], "--platform=") {
				words = words[1:]
			}
			bases++
			if base := words[1]; base != "scratch" && !pinned.MatchString(base) {
				t.Errorf("%s: %s has no digest; write %s@sha256:...", file, base, base)
			}
		}
		if bases == 0 {
			t.Errorf("%s has no base image", file)
		}
	}
}
