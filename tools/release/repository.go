package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is a copy of the source under the tags of a release. Go takes it for the published one.
type repository struct {
	// source is the copy, with its history of one commit.
	source string
	// env is what go needs in order to find it: git looks here and not at GitHub, and what is fetched goes into a cache
	// that is thrown away, or a version that was never published would stay in the user's.
	env []string
}

// publish makes one in a directory. What git ignores is left out.
func publish(ctx context.Context, source, version, dir string) (*repository, error) {
	r := &repository{source: filepath.Join(dir, "source")}
	if err := copyTracked(ctx, source, r.source); err != nil {
		return nil, err
	}
	steps := [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=release", "-c", "user.email=release@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message=release"},
	}
	for _, tag := range tags(version) {
		steps = append(steps, []string{"-c", "tag.gpgsign=false", "tag", tag})
	}
	for _, args := range steps {
		if _, err := git(ctx, r.source, args...); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "gitconfig")
	if err := os.WriteFile(config, fmt.Appendf(nil, "[url \"file://%s\"]\n\tinsteadOf = https://%s\n", r.source, root), 0o644); err != nil {
		return nil, err
	}
	found, err := output(exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOPROXY"))
	if err != nil {
		return nil, err
	}
	cache, proxy, _ := strings.Cut(found, "\n")
	r.env = []string{
		"GIT_CONFIG_GLOBAL=" + config,
		"GOMODCACHE=" + filepath.Join(dir, "modules"), "GOFLAGS=-modcacherw",
		// What the user has fetched already need not come by the network.
		"GOPROXY=file://" + filepath.Join(cache, "cache", "download") + "," + proxy,
		"GONOPROXY=" + root, "GONOSUMDB=" + root,
		"GOWORK=off",
	}
	return r, nil
}

// run runs go as a stranger would.
func (r *repository) run(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), r.env...)
	return output(cmd)
}

// copyTracked copies what git knows of a directory, and what it would take if it was asked.
func copyTracked(ctx context.Context, from, to string) error {
	names, err := git(ctx, from, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(names, "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(from, name))
		if os.IsNotExist(err) {
			continue // it was removed, and git has not been told yet
		}
		if err != nil {
			return err
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
