package main

import (
	"errors"
	"fmt"
	"strings"
)

const (
	changelogFile = "CHANGELOG.md"
	unreleased    = "## [Unreleased]\n"
	home          = "https://github.com/quickube/qscaler"
)

// cut makes what is unreleased the entry of a version.
func cut(changelog, version, date string) (string, error) {
	before, after, found := strings.Cut(changelog, unreleased)
	if !found {
		return "", fmt.Errorf("%s has no line %q", changelogFile, strings.TrimSpace(unreleased))
	}
	if text := strings.TrimSpace(entryAt(after)); text == "" {
		return "", fmt.Errorf("%s has nothing that is unreleased: write what users will see of %s", changelogFile, version)
	}
	number := strings.TrimPrefix(version, "v")
	body, _, found := strings.Cut(after, "[Unreleased]: ")
	if !found {
		return "", fmt.Errorf("%s has no link for [Unreleased]", changelogFile)
	}
	_, older, _ := strings.Cut(after[len(body):], "\n")
	return before + unreleased + "\n" + heading(version) + " - " + date + "\n" + body +
		fmt.Sprintf("[Unreleased]: %s/compare/%s...HEAD\n[%s]: %s/releases/tag/%s\n", home, version, number, home, version) + older, nil
}

func heading(version string) string { return "## [" + strings.TrimPrefix(version, "v") + "]" }

// hasEntry says whether a changelog has something to say of a version.
func hasEntry(changelog, version string) error {
	_, after, found := strings.Cut(changelog, "\n"+heading(version)+" - ")
	_, text, _ := strings.Cut(after, "\n")
	if !found || strings.TrimSpace(entryAt(text)) == "" {
		return errors.New(changelogFile + " has no entry for " + version)
	}
	return nil
}

// entryAt is the text up to the next version, or to the links.
func entryAt(text string) string {
	for _, next := range []string{"\n## [", "\n["} {
		text, _, _ = strings.Cut("\n"+text, next)
	}
	return text
}
