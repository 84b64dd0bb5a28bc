package version

import (
	"runtime/debug"
	"testing"
)

func TestTheStampCountsBeforeWhatGoKnows(t *testing.T) {
	for name, c := range map[string]struct {
		stamp string
		built *debug.BuildInfo
		want  string
	}{
		"an image":                          {"v0.1.0", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "v0.1.0"},
		"a checkout, or go install":         {"", &debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}}, "v0.1.0"},
		"a checkout whose commit is hidden": {"", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "(devel)"},
		"a test":                            {"", &debug.BuildInfo{}, "(devel)"},
		"a build without modules":           {"", nil, "(devel)"},
		"an image, built without modules":   {"v0.1.0", nil, "v0.1.0"},
	} {
		got := of(c.stamp, func() (*debug.BuildInfo, bool) { return c.built, c.built != nil })
		if got != c.want {
			t.Errorf("%s: the version is %q, want %q", name, got, c.want)
		}
	}
}
