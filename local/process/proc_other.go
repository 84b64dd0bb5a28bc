//go:build !linux

package process

import (
	"errors"
	"syscall"
)

var errUnsupported = errors.New("local mode needs Linux: it finds its processes again in /proc")

type stats struct {
	pid     int
	session int
	started uint64
	zombie  bool
	ticks   uint64
	pages   uint64
}

func attributes() *syscall.SysProcAttr { return nil }
func awaitExit(int)                    {}
func awaitStop(int)                    {}
func stat(int) (stats, error)          { return stats{}, errUnsupported }
func processes() ([]stats, error)      { return nil, errUnsupported }
func hasMarker(int, string) bool       { return false }
func bootID() (string, error)          { return "", errUnsupported }
func awaitGone([]stats) error          { return errUnsupported }
