// Package programs finds the programs that local mode and the tests need on this machine, and installs their Debian
// packages where it may.
package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// NoInstallVariable prevents that Debian packages are installed, where it is not empty. hack/need obeys it too.
const NoInstallVariable = "QSCALER_NO_INSTALL"

// Program is a program that a Debian package has.
type Program struct {
	// Name is that of the file, such as "redis-server".
	Name string
	// Paths are where the file may be beside the PATH; a package may put it elsewhere.
	Paths []string
	// Packages are the Debian packages to install.
	Packages []string
}

// Find returns the path of the program. Its error says what to do, in one line.
func (p Program) Find() (string, error) {
	for _, name := range append([]string{p.Name}, p.Paths...) {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in the PATH; install it (Debian and Ubuntu: apt-get install %s)", p.Name, strings.Join(p.Packages, " "))
}

// Get returns the path of the program, and installs it first where it is missing, this is root on Debian or Ubuntu, and
// nobody has prevented it. progress gets lines for a person, before anything is installed.
func (p Program) Get(ctx context.Context, progress func(format string, args ...any)) (string, error) {
	path, missing := p.Find()
	if missing == nil {
		return path, nil
	}
	aptGet, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 || os.Getenv(NoInstallVariable) != "" {
		return "", missing
	}
	progress("%s is not in the PATH: installing the Debian packages %s by apt-get; no service is started", p.Name, strings.Join(p.Packages, " and "))
	progress("to prevent that, press Ctrl-C and set %s=1", NoInstallVariable)
	// A policy that answers 101 to everything keeps a package from starting its service.
	const install = `set -e
		apt=$0
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; fi
		"$apt" install -y -q --no-install-recommends "$@" || { "$apt" update -q && "$apt" install -y -q --no-install-recommends "$@"; }`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", install, aptGet}, p.Packages...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w; installing it, %w\n%s", missing, err, out)
	}
	return p.Find()
}
