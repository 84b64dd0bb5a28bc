package qworker

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// useNewestStatus begins with the status as this process last wrote it, where the cache shows an older one:
// a revision that was published must not look unpublished a moment later.
func (s *scope) useNewestStatus() {
	if m := s.memory; m.status != nil {
		order, err := resourceversion.CompareResourceVersion(s.qw.ResourceVersion, m.resourceVersion)
		if err == nil && order < 0 {
			s.qw = s.qw.DeepCopy()
			m.status.DeepCopyInto(&s.qw.Status)
		} else {
			m.status = nil
		}
	}
	s.base = s.qw
	s.status = s.qw.Status.DeepCopy()
}

// writeStatus writes the status once, if it has changed, and reports the events that go with it.
func (s *scope) writeStatus(ctx context.Context, failure error) error {
	s.fillStatus(failure)
	if s.tooEarly(failure) {
		s.again = false // the reading wakes
		return nil
	}
	s.recall()
	s.metrics.observe(s.name(), s.status, s.done)
	if equality.Semantic.DeepEqual(s.base.Status, *s.status) {
		s.report(ctx)
		return nil
	}
	// The whole status, and not what differs from the cache: zeros are to be seen. Of the version that it was made from: a
	// leader whose cache is behind must not take back what the one before it has published.
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": s.newestVersion()},
		"status":   wholeStatus{s.status, s.status.Recommendations},
	})
	if err != nil {
		return fmt.Errorf("encoding the status, %w", err)
	}
	updated := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: s.qw.Namespace, Name: s.qw.Name}}
	err = s.attempt(statusWrite, func() error {
		return s.client.Status().Patch(ctx, updated, client.RawPatch(types.MergePatchType, patch))
	})
	if err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil
		}
		return fmt.Errorf("writing the status, %w", err)
	}
	s.memory.status, s.memory.resourceVersion = s.status.DeepCopy(), updated.ResourceVersion
	s.report(ctx)
	return nil
}

// newestVersion is the resource version of the QWorker as this process last saw it or wrote its status.
func (s *scope) newestVersion() string {
	order, err := resourceversion.CompareResourceVersion(s.qw.ResourceVersion, s.memory.resourceVersion)
	if s.memory.status != nil && err == nil && order < 0 {
		return s.memory.resourceVersion
	}
	return s.qw.ResourceVersion
}

// wholeStatus names what a merge patch must remove when it is there no more.
type wholeStatus struct {
	*v1alpha1.QWorkerStatus
	Recommendations []v1alpha1.ContainerRecommendation `json:"recommendations"`
}

// tooEarly reports whether there is nothing to say of a QWorker yet: it is new, nothing was done for it, and
// its queue is about to be read for the first time. The first status then says everything at once.
func (s *scope) tooEarly(failure error) bool {
	return failure == nil && s.stalled == nil && len(s.done) == 0 && len(s.pods) == 0 && !s.deleting() &&
		s.base.Status.ObservedGeneration == 0 && !s.reading.Known && s.reading.Err == nil
}

func (s *scope) fillStatus(failure error) {
	st := s.status
	st.ObservedGeneration = s.qw.Generation
	if !s.sized {
		// Nothing was seen, so there is nothing new to say but why. A worker that goes by the figures must
		// not leave because a list request failed.
		s.setCondition(failed(failure))
		return
	}
	st.DesiredReplicas = int32(s.size.desired)
	if s.deleting() {
		st.DesiredReplicas = 0
	}
	if s.decision.Publish != "" {
		st.CurrentPodSpecHash = s.decision.Publish
		s.again = true
	}
	s.countPods()
	s.fillDeparture()
	for _, c := range s.conditions(failure) {
		s.setCondition(c)
	}
	s.fillQueue()
}

func (s *scope) countPods() {
	st := s.status
	st.CurrentReplicas, st.Replicas, st.UpdatedReplicas = 0, 0, 0
	st.ReadyReplicas, st.DrainingReplicas, st.TerminatingReplicas = 0, 0, 0
	for _, p := range s.states {
		switch p.Phase {
		case planner.Left:
			continue
		case planner.Terminating:
			st.TerminatingReplicas++
			continue
		case planner.Pending, planner.Running:
		}
		st.Replicas++
		if p.Revision == st.CurrentPodSpecHash {
			st.CurrentReplicas++
		}
		if s.newest != nil && p.Revision == s.newest.Hash {
			st.UpdatedReplicas++
		}
		if p.Ready {
			st.ReadyReplicas++
		}
		if p.Grant.Reason != "" {
			st.DrainingReplicas++
		}
	}
}

// noteDepartures records that workers of this fleet do leave on a grant, when it is seen: their pods may stay.
func (s *scope) noteDepartures() {
	departed := map[string]bool{}
	for _, p := range s.states {
		if p.Phase != planner.Left || p.Grant.Reason == "" || !p.Failure.At.IsZero() {
			continue
		}
		if departed[p.Name] = true; !s.memory.departed[p.Name] {
			s.memory.departure = s.now.Truncate(timeUnit)
		}
	}
	s.memory.departed = departed
}

// fillDeparture shows the last departure that was noted.
func (s *scope) fillDeparture() {
	shown := s.status.LastDepartureTime
	if last := s.memory.departure; !last.IsZero() && (shown == nil || shown.Time.Before(last)) {
		s.status.LastDepartureTime = ptr.To(metav1.NewTime(last))
	}
}

// fillQueue shows the reading: with whatever else is written, and for its own sake not too often.
func (s *scope) fillQueue() {
	if !s.reading.Known {
		return
	}
	shown, depth := s.status.Queue, s.reading.Depth
	if shown != nil && shown.Waiting == depth.Waiting && shown.InFlight == depth.InFlight {
		return
	}
	due := shown == nil || s.now.Sub(s.memory.queueWritten) >= s.queueStatusInterval
	if !due && equality.Semantic.DeepEqual(s.base.Status, *s.status) {
		return
	}
	s.status.Queue = &v1alpha1.QueueStatus{
		Waiting: depth.Waiting, InFlight: depth.InFlight,
		ReadTime: metav1.NewTime(s.reading.ReadAt.Truncate(timeUnit)),
	}
	s.memory.queueWritten = s.now
}
