package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/revision"
)

// A password is rotated while workers are busy. Each worker that has the old one is replaced, the busy ones after their
// task, and the fleet works on with the new one.
func TestAPasswordIsRotated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// both is true for a broker that takes the old password, too, until no worker has it.
		both bool
	}{
		"the broker takes both for a while": {true},
		"the broker takes the new one only": {false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tell(t)
			s.acl("SETUSER", "app", "on", ">old", "~*", "&*", "+@all")
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, StringData: map[string]string{"password": "old"}}
			s.create(secret, s.lockedConfigOf("app"), makeFleet("fleet").replicas(2, 4).readyAfter(1))
			s.makeBusy("fleet", 4, 6*time.Second)
			former := s.fingerprints("fleet")
			if slices.Contains(former, "") {
				t.Fatalf("the fingerprints are %q", former)
			}

			if c.both {
				s.acl("SETUSER", "app", ">new")
			} else {
				s.acl("DELUSER", "app") // which ends its connections
				s.acl("SETUSER", "app", "on", ">new", "~*", "&*", "+@all")
			}
			secret.StringData = map[string]string{"password": "new"}
			s.must(s.Update(s.Context(), secret))
			s.awaitOthers("fleet", former)
			if c.both {
				s.acl("SETUSER", "app", "<old")
			}
			s.push(tasks(6, 300*time.Millisecond)...)
			s.awaitDone()
			s.awaitWorkers("fleet", 2)
			b := s.balance()
			if !c.both {
				b.Again = nil // a worker that is refused cannot acknowledge the task that it has done
			}
			if !b.Sound() || len(b.Again) > 0 {
				t.Errorf("the books do not balance: %s", b)
			}
		})
	}
}

// The operator is killed, and the password is rotated before it comes back: it tells the workers of before by the key that
// it has kept, and replaces them.
func TestAPasswordIsRotatedWhileNoOperatorRuns(t *testing.T) { // not in parallel: others need the operator
	s := tell(t)
	s.acl("SETUSER", "app", "on", ">old", "~*", "&*", "+@all")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, StringData: map[string]string{"password": "old"}}
	s.create(secret, s.lockedConfigOf("app"), makeFleet("fleet").replicas(1, 2))
	s.awaitWorkers("fleet", 1)
	former := s.fingerprints("fleet")

	revive := s.killOperator()
	s.acl("SETUSER", "app", ">new")
	secret.StringData = map[string]string{"password": "new"}
	s.must(s.Update(s.Context(), secret))
	revive()
	s.awaitOthers("fleet", former)
	s.push(tasks(2, 100*time.Millisecond)...)
	s.awaitDone()
	if b := s.balance(); !b.Sound() || len(b.Again) > 0 {
		t.Errorf("the books do not balance: %s", b)
	}
}

// awaitOthers waits until no worker has one of the former fingerprints.
func (s *story) awaitOthers(fleet string, former []string) {
	s.Helper()
	s.await("every worker to have the new password", func() string {
		prints := s.fingerprints(fleet)
		if len(prints) == 0 || slices.ContainsFunc(prints, func(mark string) bool { return slices.Contains(former, mark) }) {
			return fmt.Sprintf("the fingerprints are %q, and were %q", prints, former)
		}
		return ""
	})
}

func (s *story) acl(words ...string) {
	s.Helper()
	s.must(s.redis.Do(s.Context(), s.redis.B().Arbitrary("ACL").Args(words...).Build()).Error())
}

// lockedConfigOf is a ScalerConfig whose password is in a Secret, with a user.
func (s *story) lockedConfigOf(user string) *v1alpha1.ScalerConfig {
	c := s.lockedConfig()
	c.Spec.Config.Username = user
	return c
}

// fingerprints are those of a fleet's workers, by what their pods say.
func (s *story) fingerprints(fleet string) []string {
	s.Helper()
	var prints []string
	for _, pod := range s.census.present(fleet) {
		prints = append(prints, pod.Annotations[revision.AnnotationPasswordFingerprint])
	}
	return prints
}
