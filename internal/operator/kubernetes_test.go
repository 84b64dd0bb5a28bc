package operator

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/internal/logs"
)

// An API server that is too old is named in one line; others, and those that do not tell, in none.
func TestAnOldAPIServerIsWarnedOf(t *testing.T) {
	for answer, warned := range map[string]bool{
		`{"gitVersion":"v1.32.9"}`:             true,
		`{"gitVersion":"v1.32.9-gke.1548000"}`: true,
		`{"gitVersion":"v1.9.0"}`:              true,
		`{"gitVersion":"v1.33.0"}`:             false,
		`{"gitVersion":"v1.33.2+k3s1"}`:        false,
		`{"gitVersion":"v1.33.1-eks-595af52"}`: false,
		`{"gitVersion":"v1.33.0-rc.1"}`:        false,
		`{"gitVersion":"v2.0.0"}`:              false,
		`{"gitVersion":"unknown"}`:             false,
		`{}`:                                   false,
		``:                                     false,
	} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; r.URL.Path != "/version" {
				t.Errorf("it is asked for %s", r.URL.Path)
			}
			if answer == "" {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = io.WriteString(w, answer)
		}))
		var log bytes.Buffer
		warnOfVersion(&rest.Config{Host: server.URL}, logs.New(&log, logs.Options{}))
		server.Close()
		if asked != 1 {
			t.Errorf("%s: it is asked %d times", answer, asked)
		}
		line := log.String()
		if said := strings.Count(line, "\n"); (said == 1) != warned || said > 1 {
			t.Errorf("%s: the log has %d lines: %s", answer, said, line)
		}
		if warned && (!strings.Contains(line, "level=WARN") || !strings.Contains(line, "1.33") || !strings.Contains(line, "version=v1.")) {
			t.Errorf("%s: the line is %s", answer, line)
		}
	}
}
