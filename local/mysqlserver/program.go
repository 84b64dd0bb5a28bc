package mysqlserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// errMissing says what to do, in one line.
var errMissing = errors.New("mariadbd and mariadb-install-db are neither in the PATH nor in /usr/sbin; install them (Debian and Ubuntu: apt-get install mariadb-server)")

// programs are those of MariaDB.
type programs struct{ server, install string }

// find looks in the PATH, and where Debian and Ubuntu have the server, which is in few users' PATH.
func find() (p programs, err error) {
	if p.server, err = look("mariadbd"); err != nil {
		return programs{}, errMissing
	}
	if p.install, err = look("mariadb-install-db"); err != nil {
		return programs{}, errMissing
	}
	return p, nil
}

func look(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// initialise makes the data of a server, of which only the administrator exists.
func (p programs) initialise(settings, data string) error {
	argv := append([]string{"--defaults-file=" + settings, "--datadir=" + data,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"}, asRoot()...)
	cmd := exec.Command(p.install, argv...)
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db, %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// asRoot has the server run as root, which it does only when it is told to.
func asRoot() []string {
	if os.Geteuid() != 0 {
		return nil
	}
	return []string{"--user=root"}
}
