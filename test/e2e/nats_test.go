package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// Messages of a stream become workers, and the fleet is back at its minimum when all are acknowledged. JetStream tells how
// many are in flight, and not who has them: nobody is known to be idle, and still no task is interrupted.
func TestMessagesOfAStreamBecomeWorkers(t *testing.T) {
	t.Parallel()
	s := tell(t)
	server := natsservertest.Start(t, `authorization {user: app, password: "hush"}`)
	conn, err := nats.Connect("nats://"+server.Addr(), nats.UserInfo("app", "hush"))
	s.must(err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(20*time.Second))
	s.must(err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: queue, Subjects: []string{"work"}, Retention: jetstream.WorkQueuePolicy})
	s.must(err)
	config := s.scalerConfig()
	config.Spec.Type, config.Spec.Config.Port = v1alpha1.BrokerNATS, ptr.To(intstr.FromInt(server.Port()))
	config.Spec.Config.Username, config.Spec.Config.Password = "app", &v1alpha1.PasswordSource{Value: ptr.To("hush")}
	f := makeFleet("stream").replicas(0, 4)
	f.Spec.ScaleConfig.ConsumerGroup = "workers"
	f.Spec.PodSpec.Containers[0].Image = exampleworkers.NATS
	s.create(config, f)
	for i, length := range []time.Duration{15 * time.Second, 3 * time.Second, 3 * time.Second, 3 * time.Second} {
		id := fmt.Sprintf("t-%d", i+1)
		s.books.Pushed(id, time.Now())
		_, err := js.Publish(t.Context(), "work", []byte(payload(id, length)))
		s.must(err)
	}
	s.awaitBusy("stream", 4)
	s.awaitTube("stream", 1)
	s.awaitDone()
	s.awaitTube("stream", 0)
	s.awaitWorkers("stream", 0)
	for _, pod := range s.census.everGranted("stream") {
		if _, reason := s.census.grantedAt(pod.Name); reason != "ScaleDown" {
			t.Errorf("%s had a grant for %s", pod.Name, reason)
		}
	}
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and tasks were done twice: %s", b)
	}
}
