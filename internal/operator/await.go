package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backoff"
)

// again is the pause before what the start needs is asked for again.
var again = backoff.Policy{First: 200 * time.Millisecond, Longest: 10 * time.Second}

// until asks until there is an answer, after a growing pause each time. Whatever the API server answers may pass: one that
// has just started refuses everything before it has read the roles.
func (s *standing) until(ctx context.Context, clk clock.Clock, what string, ask func() error) error {
	s.waitFor(what, nil)
	for pause := again.Next(0); ; pause = again.Next(pause) {
		err := ask()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		s.waitFor(what, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-clk.After(pause):
		}
	}
}

var errNoKinds = errors.New("the API server does not serve them; install the CustomResourceDefinitions of QScaler")

// askForKinds asks whether the API server serves QScaler's two kinds.
func askForKinds(config *rest.Config) error {
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	served, err := server.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		return fmt.Errorf("asking the API server at %s for the kinds of %s, %w", config.Host, v1alpha1.GroupVersion, err)
	}
	for _, plural := range []string{"qworkers", "scalerconfigs"} {
		if !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Name == plural }) {
			return errNoKinds
		}
	}
	return nil
}

// patiently is a configuration whose calls end: what hangs is asked again.
func patiently(config *rest.Config) *rest.Config {
	patient := rest.CopyConfig(config)
	patient.Timeout = 10 * time.Second
	return patient
}
