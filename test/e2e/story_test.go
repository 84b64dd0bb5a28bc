package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/books"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/local/stack"
	"github.com/quickube/qscaler/worker/redislist"
)

const (
	queue      = "task-queue"
	configName = "redis"
	// container is the name of the worker container, as examples/ have it.
	container = "worker"
)

// story is one test: a namespace of a stack that most share, a Redis and books of its own.
type story struct {
	*testing.T
	client.Client
	stack     *stack.Stack
	namespace string
	broker    *redisserver.Server
	redis     rueidis.Client
	books     *books.Books
	census    *census
	pushed    int
}

// tell begins a story.
func tell(t *testing.T) *story {
	t.Helper()
	return tellWith(t, "")
}

// tellWith begins a story with a Redis that has further arguments, and asks for the password.
func tellWith(t *testing.T, password string, redisArgs ...string) *story {
	t.Helper()
	return tellOf(t, password, redisservertest.Start(t, redisArgs...))
}

// tellOf begins a story with a Redis that asks for the password.
func tellOf(t *testing.T, password string, broker *redisserver.Server) *story {
	t.Helper()
	return tellOn(t, shared, password, broker)
}

// tellOn begins a story on a stack.
func tellOn(t *testing.T, on *stack.Stack, password string, broker *redisserver.Server) *story {
	t.Helper()
	c, err := client.New(on.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{
		T: t, Client: c, stack: on, namespace: controlplanetest.Namespace(t, on.ControlPlane()),
		broker: broker, books: books.New(),
	}
	s.redis = s.connect(password)
	s.census = s.takeCensus()
	t.Cleanup(s.reportFailure)
	t.Cleanup(s.letGo)
	return s
}

func (s *story) connect(password string) rueidis.Client {
	s.Helper()
	// No command is sent again: a task that a client pushes twice would be done twice.
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.broker.Addr()}, Password: password,
		DisableCache: true, ForceSingleClient: true, DisableRetry: true,
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// letGo removes the workers at the story's end, whatever became of it.
func (s *story) letGo() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = s.DeleteAllOf(ctx, &v1alpha1.QWorker{}, client.InNamespace(s.namespace))
	_ = s.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(s.namespace), client.GracePeriodSeconds(0))
	s.census.stop()
}

func (s *story) create(objects ...client.Object) {
	s.Helper()
	for _, o := range objects {
		if f, ok := o.(fleet); ok {
			o = f.QWorker
		}
		o.SetNamespace(s.namespace)
		if err := s.Create(s.Context(), o); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *story) scalerConfig() *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Name: configName},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(s.broker.Port())),
		}},
	}
}

// fleet builds a QWorker: makeFleet("a").replicas(1, 5).image(exampleworkers.Shell).
type fleet struct{ *v1alpha1.QWorker }

// makeFleet makes a QWorker of Go workers, one for each message, that shrinks after a second.
func makeFleet(name string) fleet {
	return fleet{&v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: container, Image: exampleworkers.Go}}},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: configName, Queue: queue, MaxReplicas: 5,
				ScaleDownDelay: &metav1.Duration{Duration: time.Second},
			},
		},
	}}
}

func (f fleet) replicas(least, most int32) fleet {
	f.Spec.ScaleConfig.MinReplicas, f.Spec.ScaleConfig.MaxReplicas = least, most
	return f
}

// readyAfter has a worker count as one that stays up when it is ready for so many seconds, and not for ten.
func (f fleet) readyAfter(seconds int32) fleet {
	f.Spec.Rollout = &v1alpha1.RolloutSpec{MinReadySeconds: ptr.To(seconds)}
	return f
}

func (f fleet) image(image string) fleet {
	f.Spec.PodSpec.Containers[0].Image = image
	return f
}

// change patches a QWorker's spec as a user would.
func (s *story) change(name string, change func(*v1alpha1.QWorkerSpec)) {
	s.Helper()
	var q v1alpha1.QWorker
	if err := s.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, &q); err != nil {
		s.Fatal(err)
	}
	before := q.DeepCopy()
	change(&q.Spec)
	if err := s.Patch(s.Context(), &q, client.MergeFrom(before)); err != nil {
		s.Fatal(err)
	}
}

// push pushes tasks of the given lengths, in this order.
func (s *story) push(lengths ...time.Duration) {
	s.Helper()
	for _, length := range lengths {
		s.pushed++
		id := fmt.Sprintf("t-%d", s.pushed)
		s.books.Pushed(id, time.Now())
		if err := s.lpush(id, length); err != nil {
			s.Fatalf("pushing %s: %v", id, err)
		}
	}
}

func (s *story) lpush(id string, length time.Duration) error {
	return s.redis.Do(s.Context(), s.redis.B().Lpush().Key(queue).Element(payload(id, length)).Build()).Error()
}

// payload is a task as the example workers read it.
func payload(id string, length time.Duration) string {
	return fmt.Sprintf(`{"id":%q,"ms":%d}`, id, length.Milliseconds())
}

// held has the identifiers of the tasks that Redis holds, waiting or in flight.
func (s *story) held() []string {
	s.Helper()
	var held []string
	for _, key := range append(s.processing(), queue) {
		payloads, err := s.redis.Do(s.Context(), s.redis.B().Lrange().Key(key).Start(0).Stop(-1).Build()).AsStrSlice()
		if err != nil {
			s.Fatal(err)
		}
		for _, payload := range payloads {
			var task struct{ ID string }
			if err := json.Unmarshal([]byte(redislist.Parse(payload).Payload), &task); err != nil {
				s.Fatalf("%s holds %q: %v", key, payload, err)
			}
			held = append(held, task.ID)
		}
	}
	return held
}

// processing has the keys of the workers' lists.
func (s *story) processing() []string {
	s.Helper()
	keys, err := s.redis.Do(s.Context(), s.redis.B().Keys().Pattern("*:processing:*").Build()).AsStrSlice()
	if err != nil {
		s.Fatal(err)
	}
	return keys
}

// refresh reads what the workers have written, also of workers that came and left while the API server was down.
func (s *story) refresh() {
	s.Helper()
	logs, err := filepath.Glob(s.stack.LogPath(s.namespace, "*", container))
	if err != nil {
		s.Fatal(err)
	}
	for _, log := range logs {
		_, pod, _ := strings.Cut(filepath.Base(filepath.Dir(log)), "_")
		s.books.Follow(pod, log)
	}
	if err := s.books.Refresh(); err != nil {
		s.Fatal(err)
	}
}

// balance counts what became of the tasks so far.
func (s *story) balance() books.Balance {
	s.Helper()
	s.refresh()
	return s.books.Balance(s.held(), s.census.isLive)
}

// sound fails the story unless every task was done, and none interrupted.
func (s *story) sound() books.Balance {
	s.Helper()
	b := s.balance()
	if !b.Sound() {
		s.Errorf("the books do not balance: %s", b)
	}
	return b
}
