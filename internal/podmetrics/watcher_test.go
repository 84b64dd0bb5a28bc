package podmetrics

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

func TestNamespacesAreReadWhileSomebodyAsks(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var (
			mu             sync.Mutex
			read, notified []string
			failure        error
		)
		w := New(Options{
			Read: func(_ context.Context, namespace string) (map[string]Pod, error) {
				mu.Lock()
				defer mu.Unlock()
				read = append(read, namespace)
				return map[string]Pod{"p": {}}, failure
			},
			Clock: clock.RealClock{},
			Notify: func(n types.NamespacedName) {
				mu.Lock()
				defer mu.Unlock()
				notified = append(notified, n.String())
			},
		})
		ended := make(chan error)
		go func() { ended <- w.Start(ctx) }()
		after := func(d time.Duration, wantRead, wantNotified []string) {
			t.Helper()
			time.Sleep(d) //nolint:forbidigo // in synctest's bubble: it is the fake clock that goes on
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff([][]string{wantRead, wantNotified}, [][]string{read, notified}); diff != "" {
				t.Errorf("read and notified, -want +got:\n%s", diff)
			}
			read, notified = nil, nil
		}
		a := types.NamespacedName{Namespace: "n", Name: "a"}
		after(time.Hour, nil, nil)
		if s := w.Ask(a); !s.ReadAt.IsZero() {
			t.Error("something is known before anything was read")
		}
		after(0, []string{"n"}, []string{"n/a"})
		after(DefaultInterval, []string{"n"}, []string{"n/a"})

		mu.Lock()
		failure = errors.New("no")
		mu.Unlock()
		after(DefaultInterval, []string{"n"}, []string{"n/a"})
		if s := w.Ask(a); s.Err == nil || len(s.Pods) != 1 {
			t.Errorf("%+v, want the failure and the pods of the list before", s)
		}
		w.Forget(a)
		after(time.Hour, nil, nil)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestDecode(t *testing.T) {
	pods, err := decode([]byte(`{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[
		{"metadata":{"name":"p","namespace":"n","creationTimestamp":"2026-03-01T12:00:30Z","labels":{"a":"b"}},
		 "timestamp":"2026-03-01T12:00:00Z","window":"15.2s",
		 "containers":[{"name":"worker","usage":{"cpu":"123456789n","memory":"307200Ki"}},{"name":"side","usage":{"cpu":"0","memory":"0"}}]},
		{"metadata":{"name":"q"},"timestamp":"2026-03-01T12:00:01Z","containers":[]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	worker, told := pods["p"].Of("worker")
	if _, other := pods["q"].Of("worker"); other || !told || len(pods) != 2 || len(pods["p"].Containers) != 2 || worker.CPU.MilliValue() != 124 || worker.Memory.Value() != 300<<20 {
		t.Errorf("%+v", pods)
	}
	if want := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC); !pods["p"].Time.Equal(want) {
		t.Errorf("measured at %s, want %s", pods["p"].Time, want)
	}
	if _, err := decode([]byte(`<html>`)); err == nil {
		t.Error("a page was read as metrics")
	}
}
