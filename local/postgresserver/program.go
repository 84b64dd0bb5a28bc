package postgresserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// errMissing says what to do, in one line.
var errMissing = errors.New("postgres and initdb are neither in the PATH nor in /usr/lib/postgresql; install them (Debian and Ubuntu: apt-get install postgresql)")

// debian has the programs of each major version that Debian and Ubuntu have installed. They are in nobody's PATH.
const debian = "/usr/lib/postgresql/*/bin"

// Find returns the directory with the programs of PostgreSQL: the newest of Debian's, else the PATH's.
func Find() (string, error) {
	found, _ := filepath.Glob(debian) // the pattern is right
	slices.SortFunc(found, func(a, b string) int { return major(b) - major(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, filepath.Dir(path))
	}
	for _, dir := range found {
		if isProgram(dir, "postgres") && isProgram(dir, "initdb") {
			return dir, nil
		}
	}
	return "", errMissing
}

// major is the version in a path of Debian's, 0 where there is none.
func major(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func isProgram(dir, name string) bool {
	_, err := exec.LookPath(filepath.Join(dir, name))
	return err == nil
}

// runner is who the server runs as. PostgreSQL refuses to run as root.
type runner struct {
	uid, gid int
	// prefix is what a command begins with.
	prefix []string
}

// findRunner is ourselves, and in place of root the user that Debian's packages make, else nobody.
func findRunner() (runner, error) {
	if os.Geteuid() != 0 {
		return runner{uid: -1, gid: -1}, nil
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return runner{}, errors.New("PostgreSQL does not run as root, and setpriv, which would start it as another user, is not in the PATH; install it (Debian and Ubuntu: apt-get install util-linux)")
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, noUID := strconv.Atoi(u.Uid)
		gid, noGID := strconv.Atoi(u.Gid)
		if noUID != nil || noGID != nil {
			continue
		}
		// A change of the user takes away the signal that ends the server when we end; setpriv sets it again.
		return runner{uid, gid, []string{setpriv, "--reuid", u.Uid, "--regid", u.Gid, "--clear-groups", "--pdeathsig", "KILL"}}, nil
	}
	return runner{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

// own gives a directory to the runner.
func (r runner) own(dir string) error {
	if r.uid < 0 {
		return nil
	}
	return os.Chown(dir, r.uid, r.gid)
}

// command is a command line of the runner's.
func (r runner) command(argv ...string) []string { return append(slices.Clone(r.prefix), argv...) }

// initialise makes the data of a server, of which only the administrator exists.
func (r runner) initialise(bin, data string) error {
	argv := r.command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", Admin, "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb, %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
