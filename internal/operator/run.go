package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/quickube/qscaler/internal/apicalls"
)

// settled is how long an attempt lasts that is no failure of the start.
const settled = time.Minute

// Run runs the operator until ctx is done. It does not end because the API server does not answer: it starts over, after a
// growing pause, and says meanwhile what it waits for. It ends by itself when it was started in a way that cannot work.
func Run(ctx context.Context, o Options) error {
	if o.Registerer == nil {
		o.Registerer = metrics.Registry
	}
	o.Log.Info("QScaler starts", startOf(o)...)
	s := newStanding(o.Log)
	stop, err := serveProbes(o.ProbeAddress, s)
	if err != nil {
		return err
	}
	defer stop()
	clk := clock.RealClock{}
	for pause := again.Next(0); ; pause = again.Next(pause) {
		began := clk.Now()
		err := runOnce(ctx, o, s, clk)
		if err == nil || ctx.Err() != nil || isMistake(err) {
			return stopped(ctx, err)
		}
		if clk.Since(began) >= settled {
			pause = again.Next(0)
		}
		o.Log.Error(err, "The operator starts over", "after", pause.String())
		s.waitFor("a new start", err)
		o.SkipNameValidation = true // the names of the controllers that have ended
		select {
		case <-ctx.Done():
			return nil
		case <-clk.After(pause):
		}
	}
}

// stopped is the error of an operator that was told to stop, nil unless it could not.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// mistake is what only another start of the operator can correct.
type mistake struct{ error }

func (m mistake) Unwrap() error { return m.error }

// isMistake reports whether the same would go wrong again: an option that does not fit, or an address that is in use.
func isMistake(err error) bool {
	var network *net.OpError
	return errors.As(err, new(mistake)) || (errors.As(err, &network) && network.Op == "listen")
}

// runOnce runs the operator until it has to start over.
func runOnce(ctx context.Context, o Options, s *standing, clk clock.Clock) error {
	defer s.doWithout(newStanding(o.Log).without)
	registered := &registrations{Registerer: o.Registerer}
	defer registered.undo()
	o.Registerer = registered

	if err := s.until(ctx, clk, "the API server to serve QScaler's kinds", func() error { return askForKinds(patiently(o.Config)) }); err != nil {
		return err
	}
	s.versionAsked.Do(func() { warnOfVersion(patiently(o.Config), o.Log) })
	nodes := nodeQuestion{ask: func(ctx context.Context) (bool, error) { return mayWatchNodes(ctx, patiently(o.Config)) }, clock: clk, log: o.Log}
	watchNodes, err := nodes.untilAnswered(ctx, s)
	if err != nil {
		return err
	}
	if !watchNodes {
		o.Log.Info("The operator may not read nodes: workers on a node that is to go are not replaced beforehand, SIGTERM tells them")
	}
	key, err := fingerprintKeyOf(ctx, o, clk)
	if err != nil {
		o.Log.Error(err, "No key for the fingerprints of passwords: workers with an old password are replaced only where this process has made them")
	}
	namespaces, err := newNamespaces(o, clk)
	if err != nil {
		return err
	}
	s.doWithout(namespaces.Refused)
	hearing := apicalls.NewHearing(clk)
	mgr, err := newManager(o, namespaces, hearing)
	if err != nil {
		return fmt.Errorf("setting up the manager, %w", err)
	}
	if err := mgr.Add(namespaces); err != nil {
		return err
	}
	if err := addControllers(mgr, o, hearing, watchNodes, key); err != nil {
		return err
	}
	s.waitFor("the cache to be filled", nil)
	if err := mgr.Add(whenSynced(mgr, func() { s.waitFor("", nil) })); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// whenSynced calls back once the cache is filled, in each replica: one with an empty cache could not take over.
func whenSynced(mgr ctrl.Manager, call func()) everywhere {
	return func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			call()
		}
		<-ctx.Done()
		return nil
	}
}

// everywhere is run by each replica, and not by the leader alone.
type everywhere func(context.Context) error

// Start is manager.Runnable's.
func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

// NeedLeaderElection is manager.LeaderElectionRunnable's.
func (everywhere) NeedLeaderElection() bool { return false }
