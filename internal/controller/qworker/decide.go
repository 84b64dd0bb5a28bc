package qworker

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// decide plans. Before anybody may be granted leave, the queue is read afresh: a worker that was idle a
// second ago may be busy now.
func (s *scope) decide(ctx context.Context) {
	if s.newest == nil && !s.deleting() {
		return
	}
	s.plan()
	if s.deleting() || !s.depthKnown() || !grantsLeave(s.decision) {
		return
	}
	s.reading = s.backlog.Read(ctx, s.mainKey())
	s.sizeUp()
	s.plan()
	// Messages of workers that are let go now need no other worker.
	for range maxSizings {
		before := s.size
		if s.sizeUp(); s.size == before {
			return
		}
		s.plan()
	}
}

// maxSizings bounds how often a plan is made anew because of those whom it lets go.
const maxSizings = 10

// plan asks the planner. Without the ScalerConfig no pod is created whose password stands there: it would
// never get one.
func (s *scope) plan() {
	s.decision = planner.Plan(s.fleet())
	if s.config != nil {
		return
	}
	s.decision.Actions = slices.DeleteFunc(s.decision.Actions, func(a planner.Action) bool {
		return a.Kind == planner.Create && s.revision(a.Revision).Connection.Password.Literal
	})
}

func grantsLeave(d planner.Decision) bool {
	for _, a := range d.Actions {
		if a.Kind == planner.GrantLeave || a.Kind == planner.SignalLeave {
			return true
		}
	}
	return false
}

// fleet is what the planner sees.
func (s *scope) fleet() planner.Fleet {
	f := planner.Fleet{
		Now:     s.now,
		Desired: s.size.desired,
		Excused: s.size.excused,
		// Without its ScalerConfig the fleet stays as it is, though the connection may still be there.
		DepthKnown:  s.depthKnown() && s.config != nil,
		Deleting:    s.deleting(),
		ExcessSince: s.memory.excessSince,
		Setbacks:    s.setbacks(),
		Rollout:     rolloutOf(s.qw.Spec.Rollout),
		Tried:       isTried(s.newest),
		Pods:        s.statesWithWork(),
	}
	if unread, _ := s.newestUnread(); unread {
		f.Rollout.Paused = true
	}
	if s.newest != nil {
		f.Newest = s.newest.Hash
	}
	if s.published != nil {
		f.Published = s.published.Hash
		f.Proven = s.published.Proven
	}
	return f
}

// act carries the decision out.
func (s *scope) act(ctx context.Context) error {
	s.memory.excessSince = s.decision.ExcessSince
	s.replaceUnfit()
	s.wakeAt(s.decision.Wake)
	if err := s.markRevisions(ctx); err != nil {
		return err
	}
	s.nameCreations()
	s.watchQueues()
	if len(s.pods)+len(s.creating) > 0 {
		if err := s.hold(ctx); err != nil {
			return err
		}
	}
	var err error
	s.done, err = s.fleets.Apply(ctx, s.qw, s.pods, s.decision.Actions, s.workerOf, s.newPod)
	s.holdPublication()
	return s.noteCreations(s.fallBack(err))
}

// holdPublication leaves a revision that is published because nobody is at work any more to the next round, where
// those who were to be let go for that are still there.
func (s *scope) holdPublication() {
	if len(s.creating) == 0 && planner.CountLetGo(s.done) < planner.CountLetGo(s.decision.Actions) {
		s.decision.Publish = ""
	}
}

// markRevisions stores what has become of the revisions, before anything is done that a later leader must know.
func (s *scope) markRevisions(ctx context.Context) error {
	if err := s.markProven(ctx); err != nil {
		s.decision.Publish = "" // published without its proof, it would give way at once to whatever comes next
		return err
	}
	tries := s.decision.Stage == planner.Canary && slices.ContainsFunc(s.decision.Actions, func(a planner.Action) bool {
		return a.Kind == planner.Create && a.Revision == s.newest.Hash
	})
	if tries && !s.newest.Tried {
		return s.history.MarkTried(ctx, s.qw, *s.newest)
	}
	return nil
}

// markProven stores that the published revision works, and the newest where a canary of it is available. That canary
// may be gone before anybody looks again.
func (s *scope) markProven(ctx context.Context) error {
	if s.published != nil && s.decision.Proven {
		if err := s.prove(ctx, s.published); err != nil {
			return err
		}
	}
	if s.decision.Stage == planner.Canary && s.decision.Publish != "" {
		return s.prove(ctx, s.newest)
	}
	return nil
}

func (s *scope) prove(ctx context.Context, r *revision.Revision) error {
	if r.Proven {
		return nil
	}
	if err := s.history.MarkProven(ctx, s.qw, *r); err != nil {
		return err
	}
	r.Proven, s.memory.proven = true, r.Hash
	return nil
}

// nameCreations chooses the names of the pods that will be created. The queue is read with them from before
// their creation on: a worker that takes a message before it is known would make the message seem done.
func (s *scope) nameCreations() {
	s.creating = map[string]string{}
	for i, a := range s.decision.Actions {
		if a.Kind == planner.Create {
			name := revision.NewPodName(s.qw)
			s.decision.Actions[i].Pod = name
			s.creating[name] = a.Revision
		}
	}
}

func (s *scope) newPod(a planner.Action) *corev1.Pod {
	published := s.newest.Hash
	if s.published != nil && s.decision.Publish == "" {
		published = s.published.Hash
	}
	pod := s.revision(a.Revision).NewPod(a.Pod, revision.PodOptions{
		Owner: s.qw, ScalerConfig: s.config, Published: published, Failures: a.Level,
	})
	s.sizePod(pod)
	return pod
}
