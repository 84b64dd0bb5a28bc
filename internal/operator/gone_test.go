package operator_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/apicalls"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// gone is an API server that may answer each read with 410 Gone.
type gone struct {
	mu    sync.Mutex
	is    bool
	reads int
	// ends ends the reads that are under way.
	ends []context.CancelFunc
}

func (g *gone) wrap(next http.RoundTripper) http.RoundTripper {
	return apicalls.RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			return next.RoundTrip(r)
		}
		ctx, end := context.WithCancel(r.Context())
		g.mu.Lock()
		is := g.is
		g.reads++
		g.ends = append(g.ends, end)
		g.mu.Unlock()
		if !is {
			return next.RoundTrip(r.WithContext(ctx))
		}
		const words = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}`
		return &http.Response{
			StatusCode: http.StatusGone, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(words)),
		}, nil
	})
}

// set has reads fail, or not any more, and returns how many there were since the last call.
func (g *gone) set(is bool) (reads int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.is = is
	for _, end := range g.ends {
		end()
	}
	reads, g.reads, g.ends = g.reads, 0, nil
	return reads
}

// An API server that answers each read with 410 Gone is asked a few times a second, and not thousands of times. The
// operator goes on once it answers.
func TestAnAPIServerThatIsGoneIsNotAskedWithoutAPause(t *testing.T) {
	t.Parallel()
	c, namespace := newClient(t), controlplanetest.Namespace(t, shared)
	var server gone
	config := shared.Config()
	config.Wrap(server.wrap)
	create(t, c, namespace, redisservertest.Start(t), "fleet", 2)
	run(t, operator.Options{Config: config, Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0"})
	awaitPods(t, c, namespace, 2)

	server.set(true)
	<-time.After(3 * time.Second) // it is counted for so long
	const most = 300
	if n := server.set(false); n > most {
		t.Errorf("it was asked %d times in 3 s, want %d at most", n, most)
	}
	var qw v1alpha1.QWorker
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fleet"}, &qw); err != nil {
		t.Fatal(err)
	}
	before := qw.DeepCopy()
	qw.Spec.ScaleConfig.MinReplicas = 4
	if err := c.Patch(t.Context(), &qw, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	awaitPods(t, c, namespace, 4)
}
