package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/apicalls"
)

// LeaseName is the lease of the operator that acts.
const LeaseName = "qscaler.quickube.com"

// How the lease is held. A replica that waits takes it over once it has not been renewed for leaseDuration.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// fence lets the leader write while no other process can have taken over, and no longer. A process that was paused,
// or whose machine slept, goes on in the middle of its work and believes that it is the leader until the election
// notices. What it would write then was decided long ago.
type fence struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// renewed is when the last request that renewed the lease was begun, zero where it is not held.
	renewed time.Time
}

func (f *fence) renew(begun time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.renewed = begun
}

// open reports whether no other process can hold the lease. It trusts neither clock alone: the monotonic one stops
// while the machine sleeps, and the other one can be set.
func (f *fence) open() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	elapsed := max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0)))
	return !f.renewed.IsZero() && elapsed < leaseDuration
}

// fencedLock opens the fence whenever the lease is renewed.
type fencedLock struct {
	resourcelock.Interface
	fence *fence
}

func (l *fencedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

func (l *fencedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

func (l *fencedLock) write(ctx context.Context, record resourcelock.LeaderElectionRecord, write func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	begun := l.fence.clock.Now()
	if record.HolderIdentity != l.Identity() {
		l.fence.renew(time.Time{}) // it is released
	}
	if err := write(ctx, record); err != nil {
		return err
	}
	if record.HolderIdentity == l.Identity() {
		l.fence.renew(begun)
	}
	return nil
}

// errFenced is returned for a write that was held back.
var errFenced = errors.New("the leader's lease has run out: another replica may act now, and this one does not write")

// around refuses the writes of a client while the fence is not open.
func (f *fence) around(next http.RoundTripper) http.RoundTripper {
	return apicalls.RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet && !f.open() {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, errFenced
		}
		return next.RoundTrip(r)
	})
}

// processName is a name that no other process has or had.
func processName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("naming this process, %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// newLock returns the lease of the options, which opens the fence.
func newLock(config *rest.Config, o Options, f *fence) (resourcelock.Interface, error) {
	namespace, err := leaseNamespace(o)
	if err != nil {
		return nil, err
	}
	process, err := processName()
	if err != nil {
		return nil, mistake{err}
	}
	identity := resourcelock.ResourceLockConfig{Identity: process}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, LeaseName, identity, config, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("setting up the lease, %w", err)
	}
	return &fencedLock{Interface: lock, fence: f}, nil
}

// serviceAccountNamespace is where a pod finds the name of its namespace.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func leaseNamespace(o Options) (string, error) {
	if o.LeaderElectionNamespace != "" {
		return o.LeaderElectionNamespace, nil
	}
	namespace, err := os.ReadFile(serviceAccountNamespace)
	if err != nil {
		return "", mistake{fmt.Errorf("finding the namespace for the lease, %w; outside of a cluster give --leader-election-namespace", err)}
	}
	return strings.TrimSpace(string(namespace)), nil
}
