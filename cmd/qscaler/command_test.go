package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/version"
)

// An error of the command line comes before anything is started, and names the flag, the value and what it must be.
func TestRefusedFlags(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	cases := map[string]struct {
		args  []string
		words []string
	}{
		"a poll interval that would flood the broker": {
			[]string{"--poll-interval=1ms"}, []string{"--poll-interval", "1ms", "100ms or more"},
		},
		"a safety interval of nothing": {
			[]string{"--safety-interval=0s"}, []string{"--safety-interval", "0s", "100ms or more"},
		},
		"a namespace without a name": {
			[]string{"--watch-namespaces=a,,b"}, []string{"--watch-namespaces", "a,,b"},
		},
		"a host with its port": {
			[]string{"--allowed-broker-hosts=a,b:6379"}, []string{"--allowed-broker-hosts", `"b:6379"`, "*.example.com"},
		},
		"a log level that is none": {
			[]string{"--log-level=loud"}, []string{"--log-level", "loud", "debug, info, warn or error"},
		},
		"a log format that is none": {
			[]string{"--log-format=xml"}, []string{"--log-format", "xml", "json or text"},
		},
		"a kubeconfig that is not there": {
			[]string{"--kubeconfig=" + nowhere}, []string{nowhere, "--kubeconfig"},
		},
		"an argument that nobody asked for": {
			[]string{"run"}, []string{"run"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			cmd.SetArgs(c.args)
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			err := cmd.ExecuteContext(t.Context())
			if err == nil {
				t.Fatalf("%v is accepted", c.args)
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not have %q: %v", word, err)
				}
			}
		})
	}
}

// The named kubeconfig is used, else that of the environment.
func TestWhichKubeconfigIsTaken(t *testing.T) {
	write := func(server string) string {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		content := "apiVersion: v1\nkind: Config\ncurrent-context: c\n" +
			"clusters: [{name: c, cluster: {server: '" + server + "'}}]\n" +
			"contexts: [{name: c, context: {cluster: c}}]\n"
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("KUBECONFIG", write("https://environment"))
	for path, want := range map[string]string{"": "https://environment", write("https://named"): "https://named"} {
		config, err := restConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		if config.Host != want {
			t.Errorf("with --kubeconfig %q the server is %s, want %s", path, config.Host, want)
		}
	}
}

// --version says which version this is, and starts nothing.
func TestTheVersionIsSaid(t *testing.T) {
	cmd := newCommand()
	var out strings.Builder
	cmd.SetArgs([]string{"--version"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "qscaler version " + version.String() + "\n"; out.String() != want {
		t.Errorf("--version says %q, want %q", out.String(), want)
	}
}
