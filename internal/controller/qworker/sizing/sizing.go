package sizing

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Sizer right-sizes the pods of all QWorkers. Rounds of different QWorkers may run at once.
type Sizer struct {
	Options
	metrics *metrics
}

// Options is what a Sizer works with.
type Options struct {
	// Client saves what was learned in the QWorker.
	Client Patcher
	// Usage tells what pods use.
	Usage Usage
	// Pods resizes running pods.
	Pods Resizer
	// Cluster tells whether it can resize running pods.
	Cluster Cluster
	Metrics prometheus.Registerer
}

// Patcher patches objects; every client.Client does.
type Patcher interface {
	Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error
}

// Usage has the last answer of the metrics API for the namespace of a QWorker; see podmetrics.Watcher.
type Usage interface {
	Ask(qworker types.NamespacedName) podmetrics.Snapshot
	Forget(qworker types.NamespacedName)
}

// Resizer gives containers of a running pod other resources. It reports false where the pod has changed or is gone.
type Resizer interface {
	Resize(ctx context.Context, qw *v1alpha1.QWorker, pod *corev1.Pod, containers map[string]corev1.ResourceRequirements) (bool, error)
}

// Cluster tells whether running pods can be resized.
type Cluster interface{ Ask() (bool, error) }

// New returns a Sizer, and registers its metrics.
func New(o Options) *Sizer { return &Sizer{Options: o, metrics: newMetrics(o.Metrics)} }

// Forget releases what is held for a QWorker that no longer exists, or is right-sized no more.
func (z *Sizer) Forget(qworker types.NamespacedName) {
	z.Usage.Forget(qworker)
	z.metrics.forget(qworker)
}

// Fleet is what one round looks at.
type Fleet struct {
	// QWorker has the settings, and in its status what was recommended and told before.
	QWorker *v1alpha1.QWorker
	// Newest is the podSpec of the newest revision, nil where there is none: then nothing is right-sized.
	Newest *corev1.PodSpec
	// Pods are in the order of their names.
	Pods []*corev1.Pod
	Now  time.Time
}

// name is the QWorker's.
func (f Fleet) name() types.NamespacedName { return client.ObjectKeyFromObject(f.QWorker) }

// pod is the pod of a name, nil where there is none.
func (f Fleet) pod(name string) *corev1.Pod {
	i, there := slices.BinarySearchFunc(f.Pods, name, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
	if !there {
		return nil
	}
	return f.Pods[i]
}

func (f Fleet) has(pod string) bool { return f.pod(pod) != nil }

// wanted reports whether the QWorker is right-sized at all. activateVPA: false always wins.
func (f Fleet) wanted() bool {
	return f.QWorker.Spec.ScaleConfig.ActivateVPA && f.QWorker.DeletionTimestamp == nil
}

// Memory is what is remembered of one QWorker between two rounds. The zero Memory knows nothing. The history is
// saved, and a refusal of new pods is read from the status; the rest may be forgotten: running pods tell of their resizes,
// and one that the API server refuses is refused again.
type Memory struct {
	// history is nil before the first round.
	history *rightsize.History
	saved   string
	savedAt time.Time
	// unsaved is true while something must not be forgotten and is not saved.
	unsaved bool
	// read is when the metrics were read that were looked at last.
	read   time.Time
	raised time.Time
	// failed is what failed in the last round of raises for no reason that lasts, nil where nothing did.
	failed error
	// create and resize say that what was recommended was refused: to new pods, to running ones.
	create, resize refusal
	// blameless is until when refusals of new pods are not taken for refusals of their size.
	blameless time.Time
	// refused has running pods that the API server does not raise, until when they are left alone.
	refused map[string]time.Time
	// tooMuch has what the nodes of running pods can never give them.
	tooMuch rightsize.TooMuch
	// generation is that of the spec to which the refusals belong.
	generation int64
}

// Round is one look at the sizes of one QWorker's pods. The zero Round right-sizes nothing.
type Round struct {
	Outcome

	sizer  *Sizer
	fleet  Fleet
	memory *Memory
	policy rightsize.Policy
	// active is true where the QWorker is right-sized and there is a revision to size.
	active bool

	// usage is the metrics API's last answer.
	usage podmetrics.Snapshot
	// fitted is true where a new pod has other resources than its template; more, where it asks for more.
	fitted, more bool
	// blocked says why recommendations do not fit the podSpec, "" where they do.
	blocked string
	// waiting are the running pods that are yet to be raised; unable those whose nodes cannot, all of them
	// where the cluster cannot.
	waiting, unable []string
	// infeasible are those whose nodes can never give them all that is recommended.
	infeasible []string
	// refused are those that the API server does not raise.
	refused []string
	// err is what failed and is tried again.
	err error
}

// Outcome is what a round has come to so far.
type Outcome struct {
	// Recommendations and MostUsed are those of the status.
	Recommendations []v1alpha1.ContainerRecommendation
	MostUsed        []v1alpha1.ContainerResourcesUsage
	// Written is the QWorker as it is once its history was saved, nil where it was not.
	Written *v1alpha1.QWorker
	// Notes are the events.
	Notes []Note
	// RecheckAt is when time alone may change something; zero for never.
	RecheckAt time.Time
}

// Active reports whether the round right-sizes anything.
func (r *Round) Active() bool { return r.active }

// recheckAt brings the next look forward to t. Zero is never, and what is past has been dealt with.
func (r *Round) recheckAt(t time.Time) {
	if t.After(r.fleet.Now) && (r.RecheckAt.IsZero() || t.Before(r.RecheckAt)) {
		r.RecheckAt = t
	}
}
