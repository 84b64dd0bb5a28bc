package qworker

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// progressing says where the rollout stands. It is False when the rollout has stopped, for a reason that asks for
// a person. That workers finish long tasks, that a quota is used up, and that the API server is overloaded are waits.
func (s *scope) progressing() condition {
	const kind = v1alpha1.ConditionProgressing
	if s.newest == nil {
		return absent(kind)
	}
	newest, published := s.newest.Hash, s.status.CurrentPodSpecHash
	older := s.fleet().OlderThan(newest)
	settled := fmt.Sprintf("every worker is of revision %s", newest)
	begun := s.decision.Proven || s.serving() > 0 || s.status.Replicas == 0
	if !begun {
		settled = fmt.Sprintf("no worker of revision %s is ready yet", newest)
	}
	underWay := settled
	if len(older) > 0 {
		underWay = fmt.Sprintf("revision %s takes over; still of older ones: %s", newest, andMore(older))
	}
	trying := s.trying()
	if trying {
		underWay = fmt.Sprintf("revision %s is not published, the fleet stays on %s", newest, published)
	}
	refusal, now := s.refusalOf(newest), s.verdict()
	kept, wasStopped := s.keptVerdict()
	_, unread := s.newestUnread()
	switch {
	case !trying && len(older) == 0 && begun && now == (revision.Verdict{}):
		return is(kind, true, reasonRevisionAvailable, settled)
	case rolloutOf(s.qw.Spec.Rollout).Paused:
		c := is(kind, false, reasonRolloutPaused, underWay+"; spec.rollout.paused is true")
		c.Status = metav1.ConditionUnknown
		return c
	case trying && unread != nil:
		return is(kind, false, string(broker.ReasonOf(unread)), fmt.Sprintf("%s; its broker cannot be read: %s", underWay, unread))
	case trying && fleet.IsQuota(refusal):
		return is(kind, true, reasonWaitingForQuota, fmt.Sprintf("%s; %s", underWay, refusal))
	case now != (revision.Verdict{}):
		return is(kind, false, now.Reason, fmt.Sprintf("%s; %s", underWay, now.Message))
	case trying && wasStopped:
		return is(kind, false, kept.Reason, fmt.Sprintf("%s; when it was last tried: %s", underWay, kept.Message))
	case trying && refusal != nil:
		return is(kind, true, reasonCanaryStarting, fmt.Sprintf("%s; a pod of the new one is tried again: %s", underWay, refusal))
	case trying:
		return is(kind, true, reasonCanaryStarting, fmt.Sprintf("%s until a pod of the new one has been ready for %s", underWay, rolloutOf(s.qw.Spec.Rollout).MinReady))
	}
	return is(kind, true, reasonRollingOut, underWay)
}
