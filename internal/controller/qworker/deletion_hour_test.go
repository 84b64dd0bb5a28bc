package qworker_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A deleted QWorker waits for the broker for an hour from when its workers have ended, whichever operator saw that: one that is
// started again every now and then ends the deletion, too.
func TestTheHourOfADeletedQWorkerOutlivesTheOperator(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	c.do("ACL", "SETUSER", "default", "-eval", "-evalsha")
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.vanish(p)
	c.eventually("the status says when the workers had ended", func() string {
		if c.status("w").WorkersEndedTime == nil {
			return "it does not"
		}
		return ""
	})
	ended := func(before time.Duration) time.Time {
		at := time.Now().Add(-before).Truncate(time.Second).UTC()
		patch := fmt.Sprintf(`{"status":{"workersEndedTime":%q}}`, at.Format(time.RFC3339))
		if err := c.Status().Patch(t.Context(), q.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
		return at
	}
	c.stop()
	at := ended(30 * time.Minute)
	c.startOperator()
	c.awaitMessage("w", "until "+at.Add(time.Hour).Format(time.RFC3339)+" at the latest")
	if is := c.status("w").WorkersEndedTime; is == nil || !is.Time.Equal(at) {
		t.Errorf("the status has %v, want %s", is, at)
	}
	c.stop()
	ended(time.Hour)
	c.startOperator()
	c.awaitGone(q.QWorker)
	c.awaitEvent("TasksAbandoned")
}
