package controlplane

import (
	"os"
	"path/filepath"

	"github.com/quickube/qscaler/local/process"
)

// etcd listens on socket files, relative to its working directory: no port to find, nobody else who can
// read Secrets, and no limit on the directory's length (a socket's path has at most 107 bytes).
const (
	etcdSocket = "etcd.sock"
	peerSocket = "peer.sock"
)

func (c *ControlPlane) startEtcd() (*process.Process, error) {
	for _, socket := range []string{etcdSocket, peerSocket} {
		_ = os.Remove(filepath.Join(c.options.Dir, socket))
	}
	return c.launcher.Start(process.Command{
		Name: "etcd",
		Argv: []string{
			c.options.Paths.Etcd,
			"--data-dir=etcd",
			"--listen-client-urls=unix://" + etcdSocket,
			"--advertise-client-urls=unix://" + etcdSocket,
			"--listen-peer-urls=unix://" + peerSocket,
			"--initial-advertise-peer-urls=unix://" + peerSocket,
			"--initial-cluster=default=unix://" + peerSocket,
			// The data may be gone after a crash of the machine. They outlive every kill -9 of a process.
			"--unsafe-no-fsync",
			"--auto-compaction-mode=periodic", "--auto-compaction-retention=1h",
			"--log-level=warn",
		},
		Env: os.Environ(),
		Dir: c.options.Dir,
		Log: filepath.Join(c.options.Dir, "etcd.log"),
	})
}
