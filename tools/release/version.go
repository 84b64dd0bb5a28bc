package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/mod/semver"
)

// The modules of a release. The root requires the worker, so the worker's tag must be there first, or with it.
const (
	root   = "github.com/quickube/qscaler"
	worker = root + "/worker"
)

// tags are those of a release, in the order in which they become visible.
func tags(version string) []string { return []string{"worker/" + version, version} }

// validate refuses what Go would not take for a version of these modules.
func validate(version string) error {
	major := semver.Major(version)
	if version == "" || semver.Canonical(version) != version || semver.Build(version) != "" {
		return fmt.Errorf("%q is no version; one is like v0.1.0 or v0.1.0-rc.1", version)
	}
	if major != "v0" && major != "v1" {
		return fmt.Errorf("%s: from v2 on the path of a module ends in its major version, and these do not", version)
	}
	return nil
}

// clean makes sure that what is in the directory is what a tag would have, and that the tags are free.
func clean(ctx context.Context, dir, version string) error {
	changed, err := git(ctx, dir, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("there are changes that are not committed, and a tag would not have them:\n%s", changed)
	}
	taken, err := git(ctx, dir, append([]string{"tag", "--list"}, tags(version)...)...)
	if err != nil {
		return err
	}
	if taken != "" {
		return fmt.Errorf("%s is a tag already, and a published version never changes: release the next one", strings.ReplaceAll(taken, "\n", " "))
	}
	return nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	return output(cmd)
}

// output is what a command has written, and its error with what it has said.
func output(cmd *exec.Cmd) (string, error) {
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s, %w\n%s", strings.Join(cmd.Args, " "), err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}
