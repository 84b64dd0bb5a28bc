package operator

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// Version is that of the program, as Go has put it in: a tag, or one made of the commit; "(devel)" where it knows neither.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(info.Main.Version, "(devel)")
	}
	return "(devel)"
}

// startOf is what the first line of the log has: what runs, and for whom.
func startOf(o Options) []any {
	return []any{
		"version", Version(), "go", runtime.Version(),
		"namespaces", cmp.Or(strings.Join(o.Namespaces, ","), "all"), "leaderElection", o.LeaderElection,
	}
}
