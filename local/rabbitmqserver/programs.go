package rabbitmqserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// errMissing says what to do, in one line.
var errMissing = errors.New("rabbitmq-server is missing; install it (Debian and Ubuntu: apt-get install rabbitmq-server)")

// programs are the paths of what a server is made of.
type programs struct{ server, control, epmd string }

// places are where the server's own programs are. Those in the PATH of Debian change to the user rabbitmq, and clear the
// environment.
var places = []string{"/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin"}

// find returns the programs.
func find() (programs, error) {
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return programs{}, errMissing
	}
	for _, place := range places {
		p := programs{server: filepath.Join(place, "rabbitmq-server"), control: filepath.Join(place, "rabbitmqctl"), epmd: epmd}
		if _, err := os.Stat(p.server); err == nil {
			return p, nil
		}
	}
	return programs{}, errMissing
}
