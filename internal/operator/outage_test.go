package operator_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/apicalls"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// outage is a network between the operator and the API server that can fail.
type outage struct{ down atomic.Bool }

func (o *outage) wrap(next http.RoundTripper) http.RoundTripper {
	return apicalls.RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if o.down.Load() {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, errors.New("no route to the API server")
		}
		return next.RoundTrip(r)
	})
}

// An operator does not end because the API server does not answer: not at its start, and not when its lease expires. It
// says what it waits for, and goes on.
func TestAnOutageOfTheAPIServerEndsNoOperator(t *testing.T) {
	t.Parallel()
	c, namespace, probes := newClient(t), controlplanetest.Namespace(t, shared), freeAddress(t)
	var network outage
	network.down.Store(true)
	config := shared.Config()
	config.Wrap(network.wrap)
	create(t, c, namespace, redisservertest.Start(t), "fleet", 2)
	run(t, operator.Options{
		Config: config, Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: probes,
		LeaderElection: true, LeaderElectionNamespace: namespace,
	})
	waits := func() string {
		code, words := readiness(t, probes)
		if code != http.StatusServiceUnavailable || !strings.Contains(words, "waiting for the API server") || !strings.Contains(words, "no route") {
			return words
		}
		return ""
	}
	await(t, "readiness to say what it waits for", waits)
	network.down.Store(false)
	awaitPods(t, c, namespace, 2)

	network.down.Store(true)
	await(t, "the lease to expire, and a new start to wait", waits)
	network.down.Store(false)
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
