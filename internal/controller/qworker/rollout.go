package qworker

import (
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// The defaults of spec.rollout, for a QWorker that has none; the CRD has them too.
const (
	defaultSurgePercent     = 25
	defaultMinReady         = 10
	defaultProgressDeadline = 600
	defaultHistoryLimit     = 10
)

// rolloutOf is how a new revision takes over.
func rolloutOf(spec *v1alpha1.RolloutSpec) planner.Rollout {
	spec = ptr.To(ptr.Deref(spec, v1alpha1.RolloutSpec{}))
	seconds := func(n *int32, otherwise int32) time.Duration {
		return time.Duration(ptr.Deref(n, otherwise)) * time.Second
	}
	return planner.Rollout{
		Surge:       amountOf(spec.MaxSurge, planner.Percent(defaultSurgePercent)),
		Unavailable: amountOf(spec.MaxUnavailable, planner.Pods(0)),
		MinReady:    seconds(spec.MinReadySeconds, defaultMinReady),
		Deadline:    seconds(spec.ProgressDeadlineSeconds, defaultProgressDeadline),
		Paused:      spec.Paused,
	}
}

func amountOf(value *intstr.IntOrString, otherwise planner.Amount) planner.Amount {
	if value == nil {
		return otherwise
	}
	if value.Type == intstr.Int {
		return planner.Pods(int(value.IntVal))
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(value.StrVal, "%"))
	if err != nil {
		return otherwise // admission lets no other through
	}
	return planner.Percent(percent)
}

// historyLimit is how many revisions are kept that no pod is made of.
func historyLimit(spec *v1alpha1.RolloutSpec) int {
	if spec == nil {
		return defaultHistoryLimit
	}
	return int(ptr.Deref(spec.RevisionHistoryLimit, defaultHistoryLimit))
}

// isSignalled reports whether the workers of a revision, nil for one that is not known, leave on SIGTERM. The spec's mode
// holds for all: whoever turns to Signal does so because these workers do not read the file. Workers that were made for
// Signal keep it: they never learn of the file.
func isSignalled(present *v1alpha1.DrainSpec, made *revision.Revision) bool {
	if present != nil && present.Mode == v1alpha1.DrainSignal {
		return true
	}
	return made != nil && made.Drain.Mode == v1alpha1.DrainSignal
}

// mayEndUnseenTasks reports whether Signal may end workers that may be at a task that nobody sees.
func mayEndUnseenTasks(d *v1alpha1.DrainSpec) bool { return d != nil && d.MayEndUnseenTasks }

// maxTaskDuration bounds how long a pod of the revision may have a grant: its own limit, or that of the present spec
// where it is longer. A pod that was made without one has none, or an edit would end tasks that were let to run.
func maxTaskDuration(present *v1alpha1.DrainSpec, made *revision.Revision) time.Duration {
	now := limitOf(present)
	if made == nil {
		return now
	}
	own := limitOf(&made.Drain)
	if own == 0 || now == 0 {
		return 0
	}
	return max(own, now)
}

func limitOf(d *v1alpha1.DrainSpec) time.Duration {
	if d == nil || d.MaxTaskDuration == nil {
		return 0
	}
	return d.MaxTaskDuration.Duration
}

// isTried reports whether a pod of the newest revision was created beside those of another, and has not proven it:
// one that once worked may be gone back to at once.
func isTried(r *revision.Revision) bool { return r != nil && r.Tried && !r.Proven }
