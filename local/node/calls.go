package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/backoff"
)

// callRetry is the pause before a request to the API server that failed is sent again.
var callRetry = backoff.Policy{First: 100 * time.Millisecond, Longest: 2 * time.Second}

const callTimeout = 15 * time.Second

// call sends a request to the API server, and the runner does not wait for it. One request runs at a time. The next
// step finds again what was to be sent meanwhile.
func (r *runner) call(what string, request func(context.Context) error, then func()) {
	if r.calling || time.Now().Before(r.retryAt) {
		return
	}
	r.calling = true
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, callTimeout)
		err := request(ctx)
		cancel()
		r.post(func() {
			r.calling = false
			if err == nil {
				r.failures, r.retryAt = 0, time.Time{}
				then()
				return
			}
			r.failures++
			r.retryAt = time.Now().Add(callRetry.After(r.failures))
			r.wakeBy(r.retryAt)
			if r.failures == 1 {
				r.node.options.Log.Info("A request failed; trying on", "pod", r.namespace+"/"+r.name, "request", what, "error", err.Error())
			}
		})
	}()
}

// publish writes the status if it has changed, and reports whether the API server has it.
func (r *runner) publish(status corev1.PodStatus) bool {
	if equality.Semantic.DeepEqual(status, r.written) {
		return true
	}
	if r.calling {
		return false
	}
	patch, err := statusPatch(r.pod.UID, r.written, status)
	if err != nil {
		r.node.options.Log.Error(err, "A status cannot be written", "pod", r.namespace+"/"+r.name)
		return false
	}
	r.call("writing the status", func(ctx context.Context) error {
		_, err := r.node.client.CoreV1().Pods(r.namespace).Patch(ctx, r.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // the pod has gone, or another has its name: the watch will tell
		}
		return err
	}, func() { r.written = status })
	return false
}

// statusPatch is the difference of two statuses, for the pod of that UID alone.
func statusPatch(uid types.UID, from, to corev1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(corev1.Pod{Status: from})
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}, Status: to})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil {
		return nil, fmt.Errorf("comparing statuses, %w", err)
	}
	return patch, nil
}

// remove deletes the pod object, as a kubelet does once the processes have ended.
func (r *runner) remove() {
	uid := r.pod.UID
	r.call("deleting the pod", func(ctx context.Context) error {
		err := r.node.client.CoreV1().Pods(r.namespace).Delete(ctx, r.name, metav1.DeleteOptions{
			GracePeriodSeconds: ptr.To(int64(0)), Preconditions: &metav1.Preconditions{UID: &uid},
		})
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return err
	}, func() { r.removed = true })
}
