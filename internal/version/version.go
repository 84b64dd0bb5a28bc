// Package version says which version of QScaler a program is. Every program has it as --version.
package version

import (
	"cmp"
	"runtime/debug"
)

// stamp is set by the linker where a program is built without the history of its source, as an image is:
//
//	go build -ldflags '-X github.com/quickube/qscaler/internal/version.stamp=v0.1.0' ./cmd/qscaler
var stamp string

// String is what the linker was told, else what Go has put in: a tag, or a version made of the commit. It is "(devel)"
// where neither is known.
func String() string {
	return of(stamp, debug.ReadBuildInfo)
}

func of(stamp string, read func() (*debug.BuildInfo, bool)) string {
	if info, ok := read(); ok {
		return cmp.Or(stamp, info.Main.Version, "(devel)")
	}
	return cmp.Or(stamp, "(devel)")
}
