package controlplane

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
)

func silent(string, ...any) {}

// touch is a step that yields both programs.
func touch(_ context.Context, into string, _ Progress) error {
	for _, name := range []string{etcdName, apiServerName} {
		if err := os.WriteFile(filepath.Join(into, name), []byte("#!"), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func TestFetch(t *testing.T) {
	ways := map[string]struct {
		steps []step
		ok    bool
	}{
		"the first step does it":  {[]step{{"one", touch}, {"two", failing}}, true},
		"the second step does it": {[]step{{"one", failing}, {"two", touch}}, true},
		"a step that lies":        {[]step{{"one", func(context.Context, string, Progress) error { return nil }}}, false},
		"none does it":            {[]step{{"one", failing}, {"two", failing}}, false},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			t.Setenv("XDG_CACHE_HOME", cache)
			p, err := fetchControlPlane(t.Context(), silent, way.steps...)
			if (err == nil) != way.ok {
				t.Fatalf("error: %v", err)
			}
			if way.ok && !controlPlane.existIn(p.Dir()) {
				t.Errorf("the programs are not where it says: %+v", p)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "qscaler", "controlplane", ".unfinished-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func failing(context.Context, string, Progress) error { return errors.New("failed") }

// Where the cache cannot be written, the error names the directory, what is kept there, and the remedy.
func TestACacheThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	_, err := fetchControlPlane(t.Context(), silent, step{"one", touch})
	for _, word := range []string{filepath.Join(file, "qscaler", "controlplane"), "etcd and kube-apiserver", "set XDG_CACHE_HOME"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named: %v", word, err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := fetchControlPlane(t.Context(), silent, step{"one", touch}); err == nil || !strings.Contains(err.Error(), "set one of them") {
		t.Errorf("without a home: %v", err)
	}
}

func TestFetchOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var runs atomic.Int32
	once := step{"one", func(ctx context.Context, into string, p Progress) error {
		runs.Add(1)
		return touch(ctx, into, p)
	}}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := fetchControlPlane(t.Context(), silent, once); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := runs.Load(); n != 1 {
		t.Errorf("it was fetched %d times", n)
	}
}

func TestFindObeysTheVariable(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(AssetsVariable, dir)
	if _, err := Find(); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want one about the variable", err)
	}
	if err := touch(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := Find(); err != nil || p.Dir() != dir {
		t.Errorf("found %+v, %v", p, err)
	}
}

func TestFindTakesTheNewestOfTheStore(t *testing.T) {
	t.Setenv(AssetsVariable, "")
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	if _, err := Find(); !errors.Is(err, ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
	for _, v := range []string{"1.9.1", "1.36.2", "1.37.0"} {
		dir := filepath.Join(data, "kubebuilder-envtest", "k8s", v+"-"+platform())
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := touch(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := Find(); err != nil || !strings.Contains(p.APIServer, "1.37.0") {
		t.Errorf("found %+v, %v", p, err)
	}
}

func TestDownload(t *testing.T) {
	content := archiveOf(t, map[string]string{"controller-tools/envtest/etcd": "e", "controller-tools/envtest/kube-apiserver": "k", "controller-tools/envtest/kubectl": "c", "x/README": "no"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-r.Context().Done()
		case "/archive":
			_, _ = w.Write(content)
		case "/endless":
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	sum := sha512.Sum512(content)
	known := hex.EncodeToString(sum[:])
	for name, c := range map[string]struct{ path, sum, want string }{
		"the archive that is known":    {"/archive", known, ""},
		"another archive":              {"/archive", strings.Repeat("0", 128), "has the SHA-512 " + known + ", and not the one that is known here"},
		"a platform without a sum":     {"/archive", "", "has a sum that is known here"},
		"a host that does not answer":  {"/hangs", known, "no answer"},
		"an archive that is not there": {"/none", known, "404"},
		"an archive without an end":    {"/endless", known, "is longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			into := t.TempDir()
			err := download{server.URL + c.path, c.sum, 500 * time.Millisecond}.fetch(t.Context(), into, silent)
			switch {
			case c.want == "" && !kubectlProgram.existIn(into):
				t.Error("kubectl is in the archive, and not there")
			case c.want == "" && (err != nil || !controlPlane.existIn(into)):
				t.Errorf("%v; the programs are there: %t", err, controlPlane.existIn(into))
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			case c.want != "" && controlPlane.existIn(into):
				t.Error("the programs are there")
			}
		})
	}
}

// What is downloaded is of the minor version that we would build.
func TestTheReleaseThatIsDownloaded(t *testing.T) {
	if got, want := version.MustParseSemantic(envtestRelease), version.MustParseSemantic(KubernetesVersion); got.Minor() != want.Minor() || got.Major() != want.Major() {
		t.Errorf("%s is downloaded, and %s built", got, want)
	}
	for platform, sum := range envtestSums {
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha512.Size {
			t.Errorf("the sum of %s is none: %d bytes (%v)", platform, len(raw), err)
		}
	}
}

func archiveOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for name, content := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestProgress(t *testing.T) {
	for want, got := range map[string]string{
		"compiling etcd and kube-apiserver: " + "package 3 of 2000":                             controlPlane.status(3, 2000, time.Second),
		"compiling etcd and kube-apiserver: " + "package 1000 of 2000, about 3 min left":        controlPlane.status(1000, 2000, 3*time.Minute),
		"compiling etcd and kube-apiserver: " + "package 1900 of 2000, less than a minute left": controlPlane.status(1900, 2000, 3*time.Minute),
		"linking etcd and kube-apiserver":                                                       controlPlane.status(1998, 2000, 3*time.Minute),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
