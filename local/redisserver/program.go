package redisserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// NoInstallVariable prevents that Debian packages are installed, where it is not empty. hack/need obeys it too.
const NoInstallVariable = "QSCALER_NO_INSTALL"

// errMissing says what to do, in one line.
var errMissing = errors.New("redis-server is not in the PATH; install it (Debian and Ubuntu: apt-get install redis-server)")

// Find returns the path of redis-server.
func Find() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", errMissing
	}
	return path, nil
}

// Program returns the path of redis-server, and installs it first where it is missing, this is root on Debian or Ubuntu,
// and nobody has prevented it. progress gets lines for a person, before anything is installed.
func Program(ctx context.Context, progress func(format string, args ...any)) (string, error) {
	if path, err := Find(); err == nil {
		return path, nil
	}
	aptGet, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 || os.Getenv(NoInstallVariable) != "" {
		return "", errMissing
	}
	progress("redis-server is not in the PATH: installing the Debian packages redis-server and redis-tools by apt-get; no service is started")
	progress("to prevent that, press Ctrl-C and set %s=1", NoInstallVariable)
	// A policy that answers 101 to everything keeps the package from starting its service.
	const install = `set -e
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; fi
		"$0" install -y -q --no-install-recommends redis-server redis-tools || { "$0" update -q && "$0" install -y -q --no-install-recommends redis-server redis-tools; }`
	cmd := exec.CommandContext(ctx, "sh", "-c", install, aptGet)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w; installing it, %w\n%s", errMissing, err, out)
	}
	return Find()
}
