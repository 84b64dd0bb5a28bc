package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

const tried = "v0.0.1-try"

// A module of somebody else gets both modules by their tags, from a release made of the source as it is, and a program
// that imports them compiles.
func TestStrangersCanGetBothModules(t *testing.T) {
	if _, err := git(t.Context(), "../..", "rev-parse", "--git-dir"); err != nil {
		t.Skipf("tags are git's, and this is no checkout: %v", err)
	}
	checkout, err := publish(t.Context(), "../..", "v0.0.0-before", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := prepare(t.Context(), checkout.source, tried, "2000-01-02"); err != nil {
		t.Fatal(err)
	}
	if err := requires(t.Context(), checkout.source, tried); err != nil {
		t.Error(err)
	}
	changelog, err := os.ReadFile(filepath.Join(checkout.source, changelogFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := hasEntry(string(changelog), tried); err != nil {
		t.Error(err)
	}
	release, err := publish(t.Context(), checkout.source, tried, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := release.hasSums(t.Context(), tried); err != nil {
		t.Error(err)
	}
	if err := release.consume(t.Context(), tried, filepath.Join(t.TempDir(), "consumer")); err != nil {
		t.Error(err)
	}
}

// What is not committed would be in no tag, and a tag that is there is never moved.
func TestOnlyWhatIsCommittedIsReleased(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false", "commit", "--quiet", "--allow-empty", "--message=first"},
		{"tag", "worker/v0.1.0"},
	} {
		if _, err := git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := clean(t.Context(), dir, "v0.2.0"); err != nil {
		t.Errorf("a clean checkout is refused: %v", err)
	}
	if err := clean(t.Context(), dir, "v0.1.0"); err == nil || !strings.Contains(err.Error(), "worker/v0.1.0 is a tag already") {
		t.Errorf("a tag that is there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := clean(t.Context(), dir, "v0.2.0"); err == nil || !strings.Contains(err.Error(), "new.go") {
		t.Errorf("a file that git does not know: %v", err)
	}
}

func TestWhatIsAVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"v0.1.0": true, "v1.0.0": true, "v0.1.0-rc.1": true, tried: true,
		"": false, "0.1.0": false, "v0.1": false, "v0.1.0+linux": false, "v2.0.0": false, "main": false,
	} {
		if err := validate(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
	if semver.Compare(tried, "v0.1.0") >= 0 {
		t.Error("the version that is tried is one that people could ask for")
	}
}

const before = `# Changelog

## [Unreleased]

### Added

- The SDK.

## [0.1.0] - 2026-01-01

- The first.

[Unreleased]: https://github.com/quickube/qscaler/compare/v0.1.0...HEAD
[0.1.0]: https://github.com/quickube/qscaler/releases/tag/v0.1.0
`

func TestTheChangelogIsCut(t *testing.T) {
	got, err := cut(before, "v0.2.0", "2026-02-03")
	if err != nil {
		t.Fatal(err)
	}
	want := `# Changelog

## [Unreleased]

## [0.2.0] - 2026-02-03

### Added

- The SDK.

## [0.1.0] - 2026-01-01

- The first.

[Unreleased]: https://github.com/quickube/qscaler/compare/v0.2.0...HEAD
[0.2.0]: https://github.com/quickube/qscaler/releases/tag/v0.2.0
[0.1.0]: https://github.com/quickube/qscaler/releases/tag/v0.1.0
`
	if got != want {
		t.Errorf("it is\n%s\nand not\n%s", got, want)
	}
	for version, known := range map[string]bool{"v0.1.0": true, "v0.2.0": true, "v0.3.0": false} {
		if err := hasEntry(got, version); (err == nil) != known {
			t.Errorf("the entry of %s: %v", version, err)
		}
	}
	if _, err := cut(got, "v0.3.0", "2026-03-04"); err == nil {
		t.Error("a version of which users see nothing is released")
	}
	if _, err := cut("# Changelog\n", "v0.3.0", "2026-03-04"); err == nil {
		t.Error("a changelog without what is unreleased is cut")
	}
}

// The lines of go.sum are sorted, and an older worker's are not needed any more.
func TestSumsArePutWhereTheyBelong(t *testing.T) {
	sums := []string{worker + " v0.2.0 h1:b=\n", worker + " v0.2.0/go.mod h1:c=\n"}
	older := worker + " v0.1.0 h1:a=\n"
	for known, want := range map[string]string{
		"github.com/a v1 h1:1=\ngithub.com/z v1 h1:2=\n":    "github.com/a v1 h1:1=\n" + sums[0] + sums[1] + "github.com/z v1 h1:2=\n",
		"github.com/a v1 h1:1=\n" + older:                   "github.com/a v1 h1:1=\n" + sums[0] + sums[1],
		older + "github.com/z v1 h1:2=\n":                   sums[0] + sums[1] + "github.com/z v1 h1:2=\n",
		"github.com/quickube/qscaler/workerless v1 h1:1=\n": sums[0] + sums[1] + "github.com/quickube/qscaler/workerless v1 h1:1=\n",
		"": sums[0] + sums[1],
	} {
		if got := withSums(known, sums); got != want {
			t.Errorf("%q becomes %q, want %q", known, got, want)
		}
	}
}
