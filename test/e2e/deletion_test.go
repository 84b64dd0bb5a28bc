package e2e

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// A deleted QWorker lets its workers finish, also with a foreground deletion. Then nothing of it is left.
func TestDeletionLetsTasksFinish(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]metav1.DeletionPropagation{
		"background": metav1.DeletePropagationBackground,
		"foreground": metav1.DeletePropagationForeground,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t)
			f := makeFleet(name).replicas(1, 3)
			s.create(s.scalerConfig(), f)
			s.makeBusy(name, 3, 4*time.Second)
			if err := s.Delete(t.Context(), f.QWorker, client.PropagationPolicy(policy)); err != nil {
				t.Fatal(err)
			}
			s.awaitGone(name)
			if b := s.sound(); b.DoneOnce != s.pushed {
				t.Errorf("not every task was done once: %s", b)
			}
			s.nothingLeft()
		})
	}
}

// awaitGone waits until a QWorker is gone.
func (s *story) awaitGone(fleet string) {
	s.Helper()
	s.await(fleet+" to be gone", func() string {
		q, err := s.fleet(fleet)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it has the finalizers %v (%v)", q.Finalizers, err)
	})
}

// nothingLeft waits until the namespace has no pod and no revision, and Redis no processing list.
func (s *story) nothingLeft() {
	s.Helper()
	s.await("nothing to be left", func() string {
		var pods corev1.PodList
		var revisions appsv1.ControllerRevisionList
		for _, list := range []client.ObjectList{&pods, &revisions} {
			if err := s.List(s.Context(), list, client.InNamespace(s.namespace)); err != nil {
				return err.Error()
			}
		}
		if n, m, lists := len(pods.Items), len(revisions.Items), s.processing(); n+m+len(lists) > 0 {
			return fmt.Sprintf("%d pods, %d revisions, lists %v", n, m, lists)
		}
		return ""
	})
}

// A deletion while the broker is down waits only for the workers, and says so.
func TestDeletionWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	s := tell(t)
	f := makeFleet("orphaned").replicas(2, 3)
	s.create(s.scalerConfig(), f)
	s.awaitWorkers("orphaned", 2)
	s.awaitCondition("orphaned", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	if err := s.broker.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), f.QWorker); err != nil {
		t.Fatal(err)
	}
	s.await("the workers to leave", func() string {
		if pods := s.census.present("orphaned"); len(pods) > 0 {
			return fmt.Sprintf("%d are there", len(pods))
		}
		return ""
	})
	if err := s.broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitGone("orphaned")
	s.nothingLeft()
}

// A namespace that is deleted goes with everything in it: its workers get SIGTERM, and finish their tasks.
func TestANamespaceGoesWithEverythingInIt(t *testing.T) {
	t.Parallel()
	const password = "letmein"
	s := tellWith(t, password, "--requirepass", password)
	config := s.scalerConfig()
	config.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "redis", Key: "password"}}
	s.create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "redis"}, StringData: map[string]string{"password": password}},
		config, makeFleet("tenant").replicas(1, 3),
	)
	s.makeBusy("tenant", 3, 4*time.Second)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := s.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s.await("the namespace to be gone", func() string {
		err := s.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is %s (%v)", namespace.Status.Phase, err)
	})
	if b := s.sound(); b.DoneOnce != s.pushed {
		t.Errorf("not every task was done once: %s", b)
	}
	s.nothingLeft()
}
