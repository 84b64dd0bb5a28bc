package qworker

import (
	"context"
	"fmt"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// trying reports whether the newest revision has yet to prove itself beside the published one.
func (s *scope) trying() bool { return s.decision.Stage == planner.Canary && s.decision.Publish == "" }

// verdict is why the rollout has stopped, as it shows now; the zero Verdict where nothing shows.
func (s *scope) verdict() revision.Verdict {
	v := revision.Verdict{Generation: s.qw.Generation}
	refusal := s.refusalOf(s.newest.Hash)
	switch obstacle := s.decision.Obstacle; {
	case s.trying() && fleet.CreationRefused(refusal) && !fleet.IsQuota(refusal):
		v.Reason, v.Message = reasonCanaryRefused, refusal.Error()
	case obstacle != (planner.Obstacle{}):
		v.Reason, v.Message = string(obstacle.Reason), fmt.Sprintf("pod %s: %s", obstacle.Pod, obstacle.Message)
	default:
		return revision.Verdict{}
	}
	return v
}

// keepVerdict stores why a canary failed, for the time when there is none: with the last message a fleet is scaled
// to none, and its canaries with it.
func (s *scope) keepVerdict(ctx context.Context) error {
	if s.newest == nil || s.deleting() || !s.trying() {
		return nil
	}
	v, kept := s.verdict(), s.newest.Verdict
	// The words are those of the first pod; that the next one has another name is not worth a write.
	if v == (revision.Verdict{}) || (v.Generation == kept.Generation && v.Reason == kept.Reason) {
		return nil
	}
	if err := s.history.KeepVerdict(ctx, s.qw, *s.newest, v); err != nil {
		return err
	}
	s.newest.Verdict = v
	return nil
}

// keptVerdict is the verdict of an earlier canary of the same spec, until the next one works.
func (s *scope) keptVerdict() (v revision.Verdict, ok bool) {
	v = s.newest.Verdict
	return v, v.Reason != "" && v.Generation == s.qw.Generation
}
