package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

// Messages of RabbitMQ become workers. The message of one that is killed is done all the same, and the
// fleet is at zero when all is done.
func TestMessagesOfRabbitMQBecomeWorkers(t *testing.T) {
	t.Parallel()
	s := tell(t)
	if len(images[exampleworkers.RabbitMQ]) == 0 {
		t.Fatal("the example worker of RabbitMQ is missing: install pika (Debian and Ubuntu: apt-get install python3-pika)")
	}
	v := rabbitmqservertest.Start(t)
	ch := v.Channel()
	s.must(ch.Confirm(false))
	rabbitmqservertest.Declare(t, ch, queue, "quorum")
	config := s.scalerConfig()
	config.Spec.Type = v1alpha1.BrokerRabbitMQ
	config.Spec.Config = v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(v.Port())),
		Username: v.User, Password: &v1alpha1.PasswordSource{Value: ptr.To(v.Password)},
		RabbitMQ: &v1alpha1.RabbitMQConfig{
			VHost: v.Name, ManagementPort: int32(v.ManagementPort()), StatisticsInterval: &metav1.Duration{Duration: 5 * time.Second},
		},
	}
	f := makeFleet("rabbit").replicas(0, 4).image(exampleworkers.RabbitMQ)
	s.create(config, f)
	for i := range 4 {
		id := fmt.Sprintf("t-%d", i+1)
		s.books.Pushed(id, time.Now())
		rabbitmqservertest.Publish(t, ch, queue, payload(id, 10*time.Second))
	}
	s.awaitBusy("rabbit", 4)
	if complaint := s.kill(s.busy("rabbit")[0]); complaint != "" {
		t.Fatal(complaint)
	}
	s.awaitDone()
	s.awaitWorkers("rabbit", 0)
	s.sound()
	if q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil || q.Messages > 0 {
		t.Errorf("the queue has %d messages, %v", q.Messages, err)
	}
}
