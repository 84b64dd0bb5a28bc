package qworker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// timeUnit is the precision of times in a status.
const timeUnit = time.Second

// Reasons of conditions; docs/troubleshooting.md has a paragraph for each that asks for a person.
const (
	reasonScalerConfigNotFound = "ScalerConfigNotFound"
	reasonInvalidPodSpec       = "InvalidPodSpec"
	reasonReadFailed           = "ReadFailed"
	reasonWriteFailed          = "WriteFailed"
	reasonReclaimFailed        = "ReclaimFailed"
	reasonBackOff              = "BackOff"
	reasonReady                = "Ready"
	reasonIdle                 = "Idle"
	reasonScalingUp            = "ScalingUp"
	reasonDraining             = "Draining"
	reasonDeleting             = "Deleting"
	reasonWorkersNotReady      = "WorkersNotReady"
	reasonNotHonoured          = "NotHonoured"
	reasonWaiting              = "WaitingForWorkers"
	reasonNoGrants             = "NoGrants"
	reasonNotReadYet           = "NotReadYet"
	reasonReadSucceeded        = "ReadSucceeded"
	reasonRevisionAvailable    = "RevisionAvailable"
	reasonCanaryStarting       = "CanaryStarting"
	reasonCanaryRefused        = "CanaryRefused"
	reasonWaitingForQuota      = "WaitingForQuota"
	reasonRolloutPaused        = "RolloutPaused"
	reasonRollingOut           = "RollingOut"
	reasonWithinRange          = "WithinRange"
)

// stall is why a spec cannot be followed until a person changes something.
type stall struct{ reason, message string }

func (e *stall) Error() string { return e.message }

func errScalerConfigNotFound(qw *v1alpha1.QWorker) error {
	return &stall{
		reason: reasonScalerConfigNotFound,
		message: fmt.Sprintf("spec.scaleConfig.scalerConfigRef: there is no ScalerConfig %q in namespace %s; create it or correct the name",
			qw.Spec.ScaleConfig.ScalerConfigRef, qw.Namespace),
	}
}

// condition is one condition as it should be. One with status "" is to be absent.
type condition = metav1.Condition

func is(kind string, value bool, reason, message string) condition {
	status := metav1.ConditionFalse
	if value {
		status = metav1.ConditionTrue
	}
	return condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// maxMessage is the length of a condition's message, in bytes. The API server accepts 32 KiB, and refuses the whole
// status for one that is longer: a pod with many mistakes is refused in more words.
const maxMessage = 2048

func absent(kind string) condition { return condition{Type: kind} }

func (s *scope) setCondition(c condition) {
	if c.Status == "" {
		meta.RemoveStatusCondition(&s.status.Conditions, c.Type)
		return
	}
	c.Message = shortened(c.Message, maxMessage)
	c.ObservedGeneration = s.qw.Generation
	c.LastTransitionTime = metav1.NewTime(s.now.Truncate(timeUnit))
	meta.SetStatusCondition(&s.status.Conditions, c)
}

// conditions says how the fleet is, in the order in which a person asks.
func (s *scope) conditions(failure error) []condition {
	ready, progressing := s.ready(failure), s.progressing()
	return append([]condition{
		ready,
		s.brokerReachable(),
		progressing,
		s.draining(),
		s.scalingLimited(),
		s.rightSizing(),
	}, s.kstatus(ready, progressing, failure)...)
}

// ready is True when as many workers are ready as the queue asks for. Its reason is the STATUS column.
func (s *scope) ready(failure error) condition {
	const kind = v1alpha1.ConditionReady
	st := s.status
	serving := s.serving()
	var stalled *stall
	switch {
	case s.deleting():
		return is(kind, false, reasonDeleting, s.deletingMessage(failure))
	case errors.As(s.stalled, &stalled):
		return is(kind, false, stalled.reason, stalled.message)
	case failure != nil:
		return failed(failure)
	case s.fleetRefusal() != nil:
		return is(kind, false, reasonWriteFailed, s.fleetRefusal().Error())
	case s.reading.Err != nil:
		c := s.brokerReachable()
		return is(kind, false, c.Reason, c.Message)
	case s.decision.BackOff.Level > 0:
		return is(kind, false, reasonBackOff, s.backOffMessage())
	case s.reclaimRefusal() != "":
		return is(kind, false, reasonReclaimFailed, s.reclaimRefusal())
	case st.DesiredReplicas == 0 && st.Replicas == 0:
		return is(kind, true, reasonIdle, "the queue asks for no worker")
	case serving >= st.DesiredReplicas && st.DrainingReplicas > 0:
		return is(kind, true, reasonDraining, fmt.Sprintf("%d of %d workers are ready, %d more have leave to go", serving, st.DesiredReplicas, st.DrainingReplicas)+s.unscheduled())
	case serving >= st.DesiredReplicas:
		return is(kind, true, reasonReady, fmt.Sprintf("%d of %d workers are ready", serving, st.DesiredReplicas)+s.unscheduled())
	}
	if trouble := s.trouble(); trouble != "" {
		return is(kind, false, reasonWorkersNotReady, trouble+s.unscheduled())
	}
	return is(kind, false, reasonScalingUp, fmt.Sprintf("%d of %d workers are ready", serving, st.DesiredReplicas)+s.unscheduled())
}

// failed is a Ready that says why what was to be done is not.
func failed(failure error) condition {
	reason := reasonWriteFailed
	if errors.As(failure, new(unread)) {
		reason = reasonReadFailed
	}
	return is(v1alpha1.ConditionReady, false, reason, failure.Error())
}

// reclaimRefusal says whose tasks cannot be given back, or that nobody knows whose are to be, "" where neither is so.
func (s *scope) reclaimRefusal() string {
	pods, why := s.unreclaimed()
	switch {
	case len(pods) == 0 && s.searchErr != nil:
		return "what workers held that died while no operator watched cannot be looked for: " + s.searchErr.Error()
	case len(pods) == 0:
		return ""
	}
	return fmt.Sprintf("what %d workers held that are no more (%s) is not given back to the queue: %s", len(pods), andMore(pods), why)
}

// serving counts the ready workers that will stay.
func (s *scope) serving() int32 {
	n := int32(0)
	for _, p := range s.states {
		if p.Phase == planner.Running && p.Ready && p.Grant.Reason == "" {
			n++
		}
	}
	return n
}

// trouble names the pods that cannot run, and has what the first of them says.
func (s *scope) trouble() string {
	var names []string
	first := ""
	for i, pod := range s.pods {
		if s.states[i].Phase != planner.Pending {
			continue
		}
		if trouble, _ := fleet.Trouble(pod, s.workerOf(pod)); trouble != "" {
			names = append(names, pod.Name)
			if first == "" {
				first = trouble
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s", andMore(names), first)
}

// unscheduled counts the workers that no node has room for, "" where there are none.
func (s *scope) unscheduled() string {
	n := 0
	for i, pod := range s.pods {
		waits := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
		})
		if waits && s.states[i].Phase == planner.Pending {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d cannot be scheduled", n, s.status.Replicas)
}

func (s *scope) backOffMessage() string {
	b := s.decision.BackOff
	last := ""
	for i, pod := range s.pods {
		if s.states[i].Failure.Level == b.Level && s.states[i].Revision == b.Revision {
			words, _ := fleet.Trouble(pod, s.workerOf(pod))
			last = fmt.Sprintf("; the last was pod %s (%s), see kubectl logs %s", pod.Name, words, pod.Name)
		}
	}
	return fmt.Sprintf("workers of revision %s failed %d times in a row, the next is created at %s%s",
		b.Revision, b.Level, b.Until.UTC().Format(time.RFC3339), last)
}

func (s *scope) deletingMessage(failure error) string {
	var parts []string
	if failure != nil {
		parts = append(parts, failure.Error())
	}
	working := s.status.Replicas + s.status.TerminatingReplicas
	if working > 0 {
		parts = append(parts, howMany(working, "worker is finishing its task", "workers are finishing their tasks"))
	}
	owing := s.outstanding()
	if owing > 0 {
		part := fmt.Sprintf("the tasks of %d workers that have ended are to be given back to the queue", owing)
		if why := s.holdup(); why != nil {
			part += ": " + why.Error()
		}
		parts = append(parts, part)
	}
	sought := s.awaited()
	if sought != nil {
		part := "tasks of workers that died while no operator watched are being looked for"
		if sought.err != nil {
			part += ": " + sought.err.Error()
		}
		parts = append(parts, part)
	}
	if lost := s.lostPods(); len(lost) > 0 {
		parts = append(parts, fmt.Sprintf("nodes do not answer, and what becomes of their workers is not known: %s. Once such a node is sure to be down, kubectl delete pod NAME --force lets go of its pod", andMore(lost)))
	}
	if len(parts) == 0 {
		return "the last worker has left"
	}
	remedy := "remove the finalizer " + Finalizer
	if owing > 0 || sought != nil {
		remedy += "; what those workers hold then stays in their lists until it is given back by hand"
	}
	if working > 0 {
		remedy = "delete the pods, or " + remedy
	}
	return strings.Join(parts, "; ") + ". To let go without waiting, " + remedy
}

// lostPods names the pods whose nodes do not answer, with the node: a deletion waits for the kubelet there.
func (s *scope) lostPods() []string {
	var lost []string
	for i, pod := range s.pods {
		if s.states[i].Lost && s.states[i].Phase != planner.Left {
			lost = append(lost, fmt.Sprintf("pod %s on node %s", pod.Name, pod.Spec.NodeName))
		}
	}
	return lost
}

func (s *scope) brokerReachable() condition {
	const kind = v1alpha1.ConditionBrokerReachable
	var (
		notFound *stall
		config   *connection.Error
		before   string
	)
	err := s.reading.Err
	if _, unread := s.newestUnread(); err == nil && unread != nil {
		err, before = unread, fmt.Sprintf("revision %s: ", s.newest.Hash)
	}
	switch {
	case s.config == nil && !s.deleting() && errors.As(s.stalled, &notFound):
		return is(kind, false, notFound.reason, notFound.message)
	case errors.As(err, &config):
		return is(kind, false, config.Reason, before+config.Message)
	case err != nil:
		return is(kind, false, string(broker.ReasonOf(err)), before+err.Error())
	case !s.reading.Known && s.reachedBefore() != nil:
		return *s.reachedBefore()
	case !s.reading.Known:
		c := is(kind, false, reasonNotReadYet, "the queue has not been read yet")
		c.Status = metav1.ConditionUnknown
		return c
	}
	return is(kind, true, reasonReadSucceeded, "the queue's depth is current")
}

// reachedBefore is the condition that an earlier leader has left, where the broker answered it. It stands
// until there is newer word, which the backlog has in seconds: a new leader of ten thousand QWorkers is not to
// write each of them twice to say that nothing has changed.
func (s *scope) reachedBefore() *condition {
	c := meta.FindStatusCondition(s.base.Status.Conditions, v1alpha1.ConditionBrokerReachable)
	if c == nil || c.Status != metav1.ConditionTrue {
		return nil
	}
	return c
}

func (s *scope) scalingLimited() condition {
	const kind = v1alpha1.ConditionScalingLimited
	c := s.qw.Spec.ScaleConfig
	if before := meta.FindStatusCondition(s.base.Status.Conditions, kind); before != nil && !s.reading.Known {
		return *before
	}
	switch s.size.limit {
	case planner.AtMaximum:
		return is(kind, true, string(planner.AtMaximum), fmt.Sprintf("the queue asks for more workers than maxReplicas (%d)", c.MaxReplicas))
	case planner.AtMinimum:
		return is(kind, true, string(planner.AtMinimum), fmt.Sprintf("the queue asks for fewer workers than minReplicas (%d)", c.MinReplicas))
	}
	return is(kind, false, reasonWithinRange, "the queue asks for a number of workers within the range")
}

// kstatus says the same to tools such as kubectl wait, Argo CD and Flux.
func (s *scope) kstatus(ready, progressing condition, failure error) []condition {
	const reconciling, stalled = v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
	var why *stall
	switch {
	case s.deleting():
		return []condition{is(reconciling, true, ready.Reason, ready.Message), absent(stalled)}
	case errors.As(s.stalled, &why):
		return []condition{absent(reconciling), is(stalled, true, why.reason, why.message)}
	case progressing.Status == metav1.ConditionFalse:
		return []condition{absent(reconciling), is(stalled, true, progressing.Reason, progressing.Message)}
	case ready.Status != metav1.ConditionTrue || failure != nil:
		return []condition{is(reconciling, true, ready.Reason, ready.Message), absent(stalled)}
	case progressing.Status == metav1.ConditionTrue && progressing.Reason != reasonRevisionAvailable:
		return []condition{is(reconciling, true, progressing.Reason, progressing.Message), absent(stalled)}
	}
	return []condition{absent(reconciling), absent(stalled)}
}

// howMany is a number and what there are so many of, as one of them and as several.
func howMany[N int | int32](n N, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// andMore lists the first few names.
func andMore(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
