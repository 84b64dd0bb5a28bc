package controlplane

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// envtestRelease is the release of setup-envtest's archives, each with etcd and kube-apiserver, that is downloaded: the
// newest of the minor version that we would build.
const envtestRelease = "v1.37.0"

// envtestAddress is where an archive is, by release and platform.
const envtestAddress = "https://github.com/kubernetes-sigs/controller-tools/releases/download/envtest-%[1]s/envtest-%[1]s-%[2]s.tar.gz"

// envtestSums has the SHA-512 of each archive by platform, as the index of the release has it. They stand here, because
// whoever can change an archive there can change the index beside it. For a platform without one we build.
var envtestSums = map[string]string{
	"darwin-amd64": "19a2a5376a8aa57a7b25ec5198834db29bf2ba0d6ff572d7f45ba683b13fb14c3ebec8069e92db66c39f1c7a9cff1bc2be879e2aacdc9fa8b8a7e861959bdf7b",
	"darwin-arm64": "fb38cfacdd71b5e97a4d4cceac861af5f55069cf783f0e49cf181bfc32eb3e557c2091a534dc5d38f1b92c5ba142bc1979f215a5385b3630ea6a661be6fa161b",
	"linux-amd64":  "1d1c453633b72c161a5d5a886cde7ac850be1a2ac796a9e1d4ffacacc64868295bdd2d57aa66cd0c158f5ce510f5dfe3fbc61ac21bd3dcfb875bd70658aa663a",
	"linux-arm64":  "ae6a670502988200b0131c943758cfd3d3a58cf4e6247ef7f0e6a6467f1cd9a333c802e86101f0446b1b92a0e327387224e1e44fe1a4693da0929c6e529cfe9a",
}

// downloadTimeout bounds the wait for the first byte of an archive. It is short: where the host cannot be reached,
// packets are often dropped without an answer.
const downloadTimeout = 5 * time.Second

// mostBytes bounds an archive.
const mostBytes = 300 << 20

// download gets an archive whose sum is known.
type download struct {
	address string
	sum     string
	timeout time.Duration
}

// envtest is the download for this platform.
func envtest() download {
	return download{fmt.Sprintf(envtestAddress, envtestRelease, platform()), envtestSums[platform()], downloadTimeout}
}

func (d download) fetch(ctx context.Context, into string, progress Progress) error {
	if d.sum == "" {
		return fmt.Errorf("no archive for %s has a sum that is known here", platform())
	}
	progress("downloading etcd, kube-apiserver and kubectl %s", envtestRelease)
	data, err := d.get(ctx)
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != d.sum {
		return fmt.Errorf("%s has the SHA-512 %x, and not the one that is known here, %s: it is not used", d.address, sum, d.sum)
	}
	return unpack(data, into)
}

// get has a time-out until the answer begins, and none after that.
func (d download) get(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(d.timeout, func() { cancel(fmt.Errorf("no answer within %s", d.timeout)) })
	defer timer.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	timer.Stop()
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", d.address, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, mostBytes+1))
	if err == nil && len(data) > mostBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes", d.address, mostBytes)
	}
	return data, err
}

// unpack takes the programs out of an archive: kubectl is there too, for those who have none.
func unpack(data []byte, into string) error {
	uncompressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for archive := tar.NewReader(uncompressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Base(header.Name)
		if header.Typeflag != tar.TypeReg || !slices.Contains([]string{etcdName, apiServerName, kubectlName}, name) {
			continue
		}
		if err := writeProgram(filepath.Join(into, name), archive); err != nil {
			return err
		}
	}
}

func writeProgram(path string, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
