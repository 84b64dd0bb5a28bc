package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/local/process"
)

// startTimeout bounds the start of an API server, on a slow and busy machine. It takes 2 to 4 s on two cores.
const startTimeout = 3 * time.Minute

// StartAPIServer starts the API server, again after KillAPIServer, with the same data on the same port, and
// returns when it is ready.
func (c *ControlPlane) StartAPIServer(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.launcher.Start(process.Command{
		Name: "kube-apiserver",
		Argv: append([]string{c.options.Paths.APIServer}, c.apiServerFlags()...),
		Env:  os.Environ(),
		Dir:  c.options.Dir,
		Log:  c.apiServerLog(),
	})
	if err != nil {
		return err
	}
	c.apiServer = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.awaitReady(ctx, p); err != nil {
		return errors.Join(err, p.Stop(0))
	}
	return nil
}

func (c *ControlPlane) apiServerLog() string {
	return filepath.Join(c.options.Dir, "kube-apiserver.log")
}

func (c *ControlPlane) apiServerFlags() []string {
	return append([]string{
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(c.port.number),
		"--permit-port-sharing", // we hold the port reserved, see port.go
		"--endpoint-reconciler-type=none",
		"--etcd-servers=unix:" + etcdSocket,
		"--etcd-prefix=/registry",
		"--cert-dir=" + keysDir,
		"--tls-cert-file=" + filepath.Join(keysDir, servingCert),
		"--tls-private-key-file=" + filepath.Join(keysDir, servingKey),
		"--token-auth-file=" + filepath.Join(keysDir, tokenFile),
		"--anonymous-auth=false",
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + filepath.Join(keysDir, serviceAccountKey),
		"--service-account-signing-key-file=" + filepath.Join(keysDir, serviceAccountKey),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + filepath.Join(keysDir, caCert),
		"--kubelet-client-certificate=" + filepath.Join(keysDir, kubeletClientCert),
		"--kubelet-client-key=" + filepath.Join(keysDir, kubeletClientKey),
		"--service-cluster-ip-range=10.0.0.0/24", // nothing is ever sent there
		"--profiling=false",
	}, c.options.APIServerArgs...)
}

// KillAPIServer ends the API server with SIGKILL, as a crash would.
func (c *ControlPlane) KillAPIServer() error {
	p := c.server()
	if err := p.SignalGroup(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Done()
	return nil
}

// PauseAPIServer stops the API server in its tracks: connections stay open and nothing answers.
func (c *ControlPlane) PauseAPIServer() error { return c.server().Signal(syscall.SIGSTOP) }

// ResumeAPIServer lets a paused API server go on.
func (c *ControlPlane) ResumeAPIServer() error { return c.server().Signal(syscall.SIGCONT) }

func (c *ControlPlane) server() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apiServer
}

// awaitReady asks the server until it says that it is ready, or has ended.
func (c *ControlPlane) awaitReady(ctx context.Context, server *process.Process) error {
	client, err := rest.HTTPClientFor(c.Config())
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer := readyz(ctx, client, c.port.url())
		if answer == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-server.Done():
			return fmt.Errorf("kube-apiserver ended with code %d; its log ends with:\n%s",
				server.Exit().Code, tail(c.apiServerLog()))
		case <-c.etcd.Done():
			return fmt.Errorf("etcd ended with code %d; its log ends with:\n%s",
				c.etcd.Exit().Code, tail(filepath.Join(c.options.Dir, "etcd.log")))
		case <-ctx.Done():
			return fmt.Errorf("waiting until kube-apiserver is ready, %w (%w); its log is %s", ctx.Err(), answer, c.apiServerLog())
		}
	}
}

func readyz(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz: %s: %s", response.Status, body)
	}
	return nil
}

// tail is the end of a log, for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}
