package qworker

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	s.metrics.observe(s.name(), s.status, s.done)
	if equality.Semantic.DeepEqual(s.base.Status, *s.status) {
		s.report()
		return nil
	}
	updated := s.base.DeepCopy()
	updated.Status = *s.status
	if err := s.client.Status().Patch(ctx, updated, client.MergeFrom(s.base)); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil
		}
		return fmt.Errorf("writing the status, %w", err)
	}
	s.memory.status, s.memory.resourceVersion = s.status.DeepCopy(), updated.ResourceVersion
	s.report()
	return nil
}

func (s *scope) fillStatus(failure error) {
	st := s.status
	st.ObservedGeneration = s.qw.Generation
	st.DesiredReplicas = int32(s.size.desired)
	if s.deleting() {
		st.DesiredReplicas = 0
	}
	if s.decision.Publish != "" && failure == nil {
		st.CurrentPodSpecHash = s.decision.Publish
		s.wakeAt(s.now)
	}
	s.countPods()
	s.noteDepartures()
	s.fillQueue()
	for _, c := range s.conditions(failure) {
		s.setCondition(c)
	}
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

// noteDepartures records that workers of this fleet do leave on a grant.
func (s *scope) noteDepartures() {
	for _, a := range s.done {
		if a.Kind != planner.Remove {
			continue
		}
		if s.leftOnGrant[a.Pod] {
			s.status.LastDepartureTime = ptr.To(metav1.NewTime(s.now.Truncate(timeUnit)))
			return
		}
	}
}

// fillQueue shows the reading, at most every 10 s unless something else changes with it.
func (s *scope) fillQueue() {
	if !s.reading.Known {
		return
	}
	shown := s.status.Queue
	depth := s.reading.Depth
	same := shown != nil && shown.Waiting == depth.Waiting && shown.InFlight == depth.InFlight
	early := shown != nil && s.now.Sub(s.memory.queueWritten) < queueStatusInterval
	if same || early {
		return
	}
	s.status.Queue = &v1alpha1.QueueStatus{
		Waiting: depth.Waiting, InFlight: depth.InFlight,
		ReadTime: metav1.NewTime(s.reading.ReadAt.Truncate(timeUnit)),
	}
	s.memory.queueWritten = s.now
}
