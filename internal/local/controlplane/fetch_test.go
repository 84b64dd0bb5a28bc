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
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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
			p, err := fetcher{progress: silent, steps: way.steps}.fetch(t.Context())
			if (err == nil) != way.ok {
				t.Fatalf("error: %v", err)
			}
			if way.ok && !p.exist() {
				t.Errorf("the programs are not where it says: %+v", p)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "qscaler", "controlplane", ".unfinished-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func failing(context.Context, string, Progress) error { return errors.New("failed") }

func TestFetchOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var runs atomic.Int32
	f := fetcher{progress: silent, steps: []step{{"one", func(ctx context.Context, into string, p Progress) error {
		runs.Add(1)
		return touch(ctx, into, p)
	}}}}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := f.fetch(t.Context()); err != nil {
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
	content := archiveOf(t, map[string]string{"controller-tools/envtest/etcd": "e", "controller-tools/envtest/kube-apiserver": "k", "x/kubectl": "no"})
	sum := sha512.Sum512(content)
	hash := hex.EncodeToString(sum[:])
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-r.Context().Done()
		case "/archive":
			_, _ = w.Write(content)
		default:
			given := hash
			if r.URL.Path == "/wrong" {
				given = strings.Repeat("0", 128)
			}
			for _, v := range []string{"v1.36.9", "v1.37.0", "v1.38.0-alpha.1"} {
				link := server.URL + "/none"
				if v == "v1.37.0" {
					link = server.URL + "/archive"
				}
				_, _ = fmt.Fprintf(w, "%s  %s:\n    envtest-%s-%s.tar.gz: {hash: %q, selfLink: %q}\n",
					map[bool]string{true: "releases:\n"}[v == "v1.36.9"], v, v, platform(), given, link)
			}
		}
	}))
	t.Cleanup(server.Close)
	for path, want := range map[string]string{"/index": "", "/wrong": "checksum", "/hangs": "no answer"} {
		into := t.TempDir()
		err := download{index: server.URL + path, patience: 500 * time.Millisecond}.fetch(t.Context(), into, silent)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want == "" && !pathsIn(into).exist():
			t.Errorf("%s: not both programs are there", path)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want %q", path, err, want)
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
		"compiling etcd and kube-apiserver: " + "package 3 of 2000":                             status(3, 2000, time.Second),
		"compiling etcd and kube-apiserver: " + "package 1000 of 2000, about 3 min left":        status(1000, 2000, 3*time.Minute),
		"compiling etcd and kube-apiserver: " + "package 1900 of 2000, less than a minute left": status(1900, 2000, 3*time.Minute),
		"linking etcd and kube-apiserver":                                                       status(1998, 2000, 3*time.Minute),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
