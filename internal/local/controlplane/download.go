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
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

// envtestIndex lists the archives of setup-envtest: etcd, kube-apiserver and kubectl of one version each.
const envtestIndex = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"

// downloadPatience bounds the wait for the index, and for the first byte of an archive. It is short: where
// the hosts cannot be reached, packets are often dropped without a word.
const downloadPatience = 5 * time.Second

// download gets an archive that an index lists.
type download struct {
	index    string
	patience time.Duration
}

// index is the content of an index file.
type index struct {
	Releases map[string]map[string]archive `json:"releases"` // by version and file name
}

type archive struct {
	Hash string `json:"hash"` // SHA-512, in hexadecimal digits
	Link string `json:"selfLink"`
}

func (d download) fetch(ctx context.Context, into string, progress Progress) error {
	list, err := d.get(ctx, d.index)
	if err != nil {
		return err
	}
	var i index
	if err := yaml.Unmarshal(list, &i); err != nil {
		return fmt.Errorf("%s: %w", d.index, err)
	}
	release, a, err := i.newest()
	if err != nil {
		return fmt.Errorf("%s: %w", d.index, err)
	}
	progress("downloading etcd and kube-apiserver %s", release)
	data, err := d.get(ctx, a.Link)
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(data); !strings.EqualFold(hex.EncodeToString(sum[:]), a.Hash) {
		return fmt.Errorf("%s: the checksum is not the one that the index gives", a.Link)
	}
	return unpack(data, into)
}

// newest is the newest release for this platform of the minor version that we would build.
func (i index) newest() (string, archive, error) {
	var best string
	var found archive
	wanted := version.MustParseSemantic(KubernetesVersion)
	for release, archives := range i.Releases {
		v, err := version.ParseSemantic(release)
		if err != nil || v.PreRelease() != "" || v.Major() != wanted.Major() || v.Minor() != wanted.Minor() {
			continue
		}
		a, ok := archives["envtest-"+release+"-"+platform()+".tar.gz"]
		if ok && (best == "" || compareVersions(best, release) < 0) {
			best, found = release, a
		}
	}
	if best == "" {
		return "", archive{}, fmt.Errorf("no release of %d.%d for %s", wanted.Major(), wanted.Minor(), platform())
	}
	return best, found, nil
}

// get is impatient until the answer begins; then it takes the time that it takes.
func (d download) get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(d.patience, func() { cancel(fmt.Errorf("no answer within %s", d.patience)) })
	defer timer.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// unpack takes the two programs out of an archive.
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
		if header.Typeflag != tar.TypeReg || (name != etcdName && name != apiServerName) {
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
