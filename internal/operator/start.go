package operator

import (
	"cmp"
	"runtime"
	"strings"

	"github.com/quickube/qscaler/internal/version"
)

// startOf is what the first line of the log has: what runs, and for whom.
func startOf(o Options) []any {
	return []any{
		"version", version.String(), "go", runtime.Version(),
		"namespaces", cmp.Or(strings.Join(o.Namespaces, ","), "all"), "leaderElection", o.LeaderElection,
	}
}
