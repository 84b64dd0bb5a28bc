package e2e

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/crds"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// plane is a control plane without nodes, and its operator.
type plane struct {
	*story
	*controlplane.ControlPlane
	dir string
}

func (s *story) startPlane(dir string) *plane {
	s.Helper()
	paths, err := controlplane.Find()
	if err != nil {
		s.Fatal(err)
	}
	c, err := controlplane.Start(s.Context(), controlplane.Options{Dir: dir, Paths: paths, Log: s.Logf})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Stop() })
	if err := crds.Install(s.Context(), c.Config()); err != nil {
		s.Fatal(err)
	}
	api, err := client.New(c.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		s.Fatal(err)
	}
	of := *s
	of.Client = api
	return &plane{story: &of, ControlPlane: c, dir: dir}
}

// operate runs an operator, and returns what ends it.
func (p *plane) operate() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- operator.Run(ctx, operator.Options{
			Config: p.Config(), Log: testr.New(p.T), MetricsAddress: "0", ProbeAddress: "0",
			SkipNameValidation: true, Registerer: prometheus.NewRegistry(),
		})
	}()
	stop = func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			p.Error(err)
		}
		ended <- nil
	}
	p.Cleanup(stop)
	return stop
}

func (p *plane) pods() []corev1.Pod {
	p.Helper()
	var list corev1.PodList
	if err := p.List(p.Context(), &list, client.InNamespace(p.namespace)); err != nil {
		p.Fatal(err)
	}
	return list.Items
}

// remove deletes a pod at once, as the control plane does with the pods of a node that is gone.
func (p *plane) remove(name string) {
	p.Helper()
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = p.namespace, name
	if err := p.Delete(p.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		p.Fatal(err)
	}
}

// reclaims is the reason of the ScalerConfig's condition Reclaims, "" without it.
func (p *plane) reclaims() string {
	var sc v1alpha1.ScalerConfig
	if err := p.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: configName}, &sc); err != nil {
		p.Fatal(err)
	}
	if c := meta.FindStatusCondition(sc.Status.Conditions, v1alpha1.ConditionReclaims); c != nil {
		return c.Reason
	}
	return ""
}

func (s *story) holds(list string) []string {
	s.Helper()
	held, err := s.redis.Do(s.Context(), s.redis.B().Lrange().Key(list).Start(0).Stop(-1).Build()).AsStrSlice()
	if err != nil {
		s.Fatal(err)
	}
	return held
}

// claimant is the process that has the claim, "" for none.
func (s *story) claimant() string {
	s.Helper()
	keys, err := s.redis.Do(s.Context(), s.redis.B().Keys().Pattern("qscaler:operator:*").Build()).AsStrSlice()
	if err != nil {
		s.Fatal(err)
	}
	if len(keys) == 0 {
		return ""
	}
	value, err := s.redis.Do(s.Context(), s.redis.B().Get().Key(keys[0]).Build()).ToString()
	if err != nil {
		return "" // it has ended meanwhile
	}
	process, _, _ := strings.Cut(value, " ")
	return process
}

// until waits for longer than a story does: it takes a minute to know a rival.
func (s *story) until(what string, is func() bool) {
	s.Helper()
	for limit := time.After(3 * time.Minute); !is(); {
		select {
		case <-limit:
			s.Fatalf("waiting for this: %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A cluster's etcd is copied, as by a restore in another place, and both control planes run with one Redis. The copy
// deletes the pods, because their nodes are not there. It takes no task of the original's workers, neither while the
// original's operator runs nor while that is started anew, and says why. The original goes on as before.
func TestACopiedControlPlaneTakesNoLiveTask(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	t.Parallel()
	s := &story{T: t, namespace: "default", broker: redisservertest.Start(t)}
	s.redis = s.connect("")
	original := s.startPlane(filepath.Join(t.TempDir(), "original"))
	stop := original.operate()
	original.create(original.scalerConfig(), makeFleet("a").replicas(2, 2))
	s.until("the workers of the original", func() bool { return len(original.pods()) == 2 })
	pods := original.pods()
	living, dying := pods[0].Name, pods[1].Name
	livingList, dyingList := redislist.Processing(queue, living), redislist.Processing(queue, dying)
	s.until("the original claims", func() bool { return s.claimant() != "" })
	before := s.claimant()
	stop()
	if err := original.Stop(); err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(t.TempDir(), "copy")
	copyState(t, original.dir, dir)
	original = s.startPlane(original.dir)
	stop = original.operate()
	// The claim of the process before ends first: where the copy starts before that, the first of the two to claim wins.
	s.until("the original that was started anew claims", func() bool { now := s.claimant(); return now != "" && now != before })
	for _, list := range []string{livingList, dyingList} {
		if err := s.redis.Do(t.Context(), s.redis.B().Lpush().Key(list).Element("task of "+list).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	duplicate := s.startPlane(dir)
	duplicate.operate()
	s.until("the copy has the same pods", func() bool { return len(duplicate.pods()) == 2 })
	duplicate.remove(living)
	duplicate.remove(dying)
	s.until("the copy says why it returns no tasks", func() bool { return duplicate.reclaims() == string(broker.ReasonOtherOperator) })

	stop() // and is started anew, when its claim has ended
	<-time.After(broker.ClaimExpiry + 2*broker.ClaimRenewal)
	want := []string{"task of " + livingList, "task of " + dyingList}
	if diff := cmp.Diff(want, append(s.holds(livingList), s.holds(dyingList)...)); diff != "" {
		t.Fatalf("the copy has taken live tasks (-want +got):\n%s", diff)
	}
	original.operate()
	original.remove(dying)
	s.until("the original returns the task of its dead worker", func() bool { return len(s.holds(dyingList)) == 0 })
	if diff := cmp.Diff(want[:1], s.holds(livingList)); diff != "" {
		t.Errorf("the living worker's task (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], s.holds(queue)); diff != "" {
		t.Errorf("the queue (-want +got):\n%s", diff)
	}
	if reason := original.reclaims(); reason != "" {
		t.Errorf("the original says %s of itself", reason)
	}
}

// copyState copies what a control plane keeps: etcd's data and its keys.
func copyState(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, relative), 0o700)
		case !entry.Type().IsRegular() || relative == "lock" || relative == "processes" || relative == "port":
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, relative), content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
