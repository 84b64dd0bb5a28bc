package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const (
	password   = "right"
	secretName = "redis-secret"
	// noHost is not a domain name, so that no server is asked for it.
	noHost = "no..such..host"
)

// trouble is one way to keep the operator from its broker, and to end that.
type trouble struct {
	reason string
	// words must stand in the message.
	words []string
	begin func(*story)
	end   func(*story)
	// elsewhere is true where only a new revision has the trouble: the fleet works on, and scales, on the old one.
	elsewhere bool
}

var troubles = map[string]trouble{
	"the broker is down": {
		reason: "ConnectionRefused", words: []string{"127.0.0.1"},
		begin: func(s *story) { s.must(s.broker.Kill()) },
		end:   func(s *story) { s.must(s.broker.Restart(s.Context())) },
	},
	"the password is wrong": {
		reason: "AuthenticationFailed", words: []string{"password"},
		begin: func(s *story) { s.setPassword("changed") },
		end:   func(s *story) { s.setPassword(password) },
	},
	"the ScalerConfig is missing": {
		reason: "ScalerConfigNotFound", words: []string{configName, "create it"},
		begin: func(s *story) { s.must(s.Delete(s.Context(), s.lockedConfig())) },
		end:   func(s *story) { s.create(s.lockedConfig()) },
	},
	"the host does not resolve": {
		reason: "HostNotFound", words: []string{noHost},
		begin: func(s *story) { s.setHost(noHost) },
		end:   func(s *story) { s.setHost("127.0.0.1") },

		elsewhere: true,
	},
}

// Whatever keeps the operator from a broker, its status says so in plain words. The fleet stays as it is, and another
// fleet goes on. When the broker can be reached again, everything is as before.
func TestATroubledBrokerChangesNothing(t *testing.T) {
	t.Parallel()
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tellLocked(t)
			well := tell(t)
			s.create(s.secret(), s.lockedConfig(), makeFleet("sick").replicas(0, 3).readyAfter(0))
			well.create(well.scalerConfig(), makeFleet("well").replicas(0, 3))
			s.makeBusy("sick", 3, 5*time.Second)
			s.awaitCondition("sick", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

			before, err := s.fleet("sick")
			s.must(err)
			trouble.begin(s)
			message := s.awaitCondition("sick", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, trouble.reason)
			for _, word := range trouble.words {
				if !strings.Contains(message, word) {
					t.Errorf("the message does not have %q: %s", word, message)
				}
			}
			s.awaitEvent("sick", trouble.reason)

			// The other fleet grows and shrinks; in that time the one in trouble could shrink too.
			s.awaitIdle("sick")
			well.push(tasks(6, 300*time.Millisecond)...)
			well.awaitWorkers("well", 3)
			well.awaitDone()
			well.awaitWorkers("well", 0)
			well.sound()
			if pods := s.census.present("sick"); len(pods) < 3 && !trouble.elsewhere {
				t.Errorf("%d of 3 workers are left while the queue cannot be read", len(pods))
			}

			now, err := s.fleet("sick")
			s.must(err)
			if before.Status.CurrentPodSpecHash != now.Status.CurrentPodSpecHash {
				t.Errorf("a revision was published whose broker cannot be read")
			}

			trouble.end(s)
			s.awaitCondition("sick", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
			s.push(tasks(4, 300*time.Millisecond)...)
			s.awaitDone()
			s.awaitWorkers("sick", 0)
			s.sound()
		})
	}
}

// A fleet whose Secret is created late starts when it exists.
func TestAMissingSecretIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := tellLocked(t)
	s.create(s.lockedConfig(), makeFleet("late").replicas(0, 3))
	message := s.awaitCondition("late", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "SecretNotFound")
	if !strings.Contains(message, secretName) || !strings.Contains(message, "create it") {
		t.Errorf("the message says neither what is missing nor what to do: %s", message)
	}
	s.awaitEvent("late", "SecretNotFound")
	s.push(tasks(3, 100*time.Millisecond)...)
	s.create(s.secret())
	s.awaitDone()
	s.awaitWorkers("late", 0)
	s.sound()
}

// tellLocked begins a story whose Redis asks for a password.
func tellLocked(t *testing.T) *story {
	t.Helper()
	return tellWith(t, password, "--requirepass", password)
}

func (s *story) secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: secretName},
		StringData: map[string]string{"password": password},
	}
}

func (s *story) lockedConfig() *v1alpha1.ScalerConfig {
	c := s.scalerConfig()
	c.Namespace = s.namespace
	c.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: secretName, Key: "password"}}
	return c
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// setPassword changes what Redis asks for, and has everyone but us connect anew.
func (s *story) setPassword(password string) {
	s.Helper()
	s.must(s.redis.Do(s.Context(), s.redis.B().ConfigSet().ParameterValue().ParameterValue("requirepass", password).Build()).Error())
	s.must(s.redis.Do(s.Context(), s.redis.B().ClientKill().TypeNormal().SkipmeYes().Build()).Error())
}

func (s *story) setHost(host string) {
	s.Helper()
	c := s.lockedConfig()
	s.must(s.Get(s.Context(), client.ObjectKeyFromObject(c), c))
	before := c.DeepCopy()
	c.Spec.Config.Host = host
	s.must(s.Patch(s.Context(), c, client.MergeFrom(before)))
}

func (s *story) awaitEvent(fleet, reason string) {
	s.Helper()
	s.await(fmt.Sprintf("an event %s of %s", reason, fleet), func() string {
		for _, e := range s.events(s.Context()) {
			if e.Regarding.Name == fleet && e.Reason == reason && e.Note != "" {
				return ""
			}
		}
		return "there is none"
	})
}
