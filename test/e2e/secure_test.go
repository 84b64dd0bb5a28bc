package e2e

import (
	"bytes"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// A Redis wants client certificates, the operator and the workers have a user each, and the bundle of authorities is
// longer than a variable may be.
func TestABrokerThatIsLocked(t *testing.T) {
	t.Parallel()
	for name, image := range map[string]string{
		"go": exampleworkers.Go, "sdk": exampleworkers.SDK, "python": exampleworkers.Python, "shell": exampleworkers.Shell,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redisservertest.StartSecure(t, "--requirepass", password)
			s := tellOf(t, password, server.Server)
			s.setUsers(image)
			s.createSecrets(server)
			s.create(s.secureConfig(server), makeFleet(name).replicas(0, 4).image(image))
			s.push(tasks(8, 300*time.Millisecond)...)
			s.awaitWorkers(name, 4)
			s.awaitDone()
			s.awaitWorkers(name, 0)
			if b := s.sound(); len(b.Again) > 0 {
				t.Errorf("nobody was killed, and tasks were done twice: %s", b)
			}
		})
	}
}

// setUsers gives each user the rights that the documentation says, the workers those of an image. The default user is the
// story's.
func (s *story) setUsers(image string) {
	s.Helper()
	heading := "## Working"
	if image == exampleworkers.SDK {
		heading = "## The envelope"
	}
	for user, rights := range map[string][]string{
		"operator": redisservertest.Rights(s, "security.md", "## One user for the operator, one for the workers", "operator", "task-queue", queue),
		"worker":   redisservertest.Rights(s, "redis-layout.md", heading, "worker", "task-queue", queue),
	} {
		words := append([]string{user, "on", ">" + user + "s"}, rights...)
		s.must(s.redis.Do(s.Context(), s.redis.B().Arbitrary("ACL", "SETUSER").Args(words...).Build()).Error())
	}
}

func (s *story) createSecrets(server *redisservertest.Secure) {
	s.Helper()
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		s.must(err)
		return content
	}
	bundle := append(bytes.Repeat([]byte("# an authority that nobody asks for\n"), 6000), read(server.CA)...)
	s.create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "authorities"}, Data: map[string][]byte{"bundle": bundle}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "client"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{"tls.crt": read(server.Cert), "tls.key": read(server.Key)},
		},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "users"}, StringData: map[string]string{"operator": "operators", "worker": "workers"}},
	)
}

func (s *story) secureConfig(server *redisservertest.Secure) *v1alpha1.ScalerConfig {
	s.Helper()
	host, port, err := net.SplitHostPort(server.Address)
	s.must(err)
	number, err := strconv.Atoi(port)
	s.must(err)
	of := func(key string) *v1alpha1.PasswordSource {
		return &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "users", Key: key}}
	}
	c := s.scalerConfig()
	c.Spec.Config = v1alpha1.BrokerConfig{
		Host: host, Port: ptr.To(intstr.FromInt(number)), Username: "operator", Password: of("operator"),
		Worker: &v1alpha1.WorkerLogin{Username: "worker", Password: of("worker")},
		TLS: &v1alpha1.TLSConfig{
			CASecret:         &v1alpha1.SecretKeyReference{Name: "authorities", Key: "bundle"},
			ClientCertSecret: &v1alpha1.SecretReference{Name: "client"},
		},
	}
	return c
}
