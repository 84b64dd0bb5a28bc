package scalerconfig

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/connection"
)

var name = types.NamespacedName{Namespace: "ns", Name: "sc"}

// desk is a reconciler, its backlog on a broker in memory, and an API server in memory. It runs in a
// synctest bubble.
type desk struct {
	*testing.T
	client.Client
	*Reconciler
	recorder *events.FakeRecorder

	mu     sync.Mutex
	down   error
	silent string
	closed int
	// claimed is the process that has the claim, asked how often somebody wanted to know, and unclaimed why nobody is told.
	claimed   string
	asked     int
	unclaimed error
	writes    int
	// risks and uninspected are what the broker says of its settings.
	risks       []broker.Risk
	uninspected error
	refuse      func(*v1alpha1.ScalerConfig) error // why the API server takes no status, nil where it does
	stale       *v1alpha1.ScalerConfig             // what the cache shows, when it is old
	queue       map[backlog.Key]bool               // of keys to reconcile
}

// the broker

func (d *desk) open(context.Context, broker.Config, broker.Doorbell) (broker.Driver, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return driver{d}, d.down
}

type driver struct{ *desk }

func (d driver) Depths(context.Context, []broker.Query) ([]broker.Answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return nil, d.down
}

func (d driver) Pushes() (ok bool, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.silent == "", d.silent
}

func (d driver) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
}

type config struct{ host string }

func (c config) Equal(other broker.Config) bool { return c == other }

func (d *desk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func inBubble(t *testing.T, test func(*desk), objects ...client.Object) {
	t.Helper()
	bubbletest.Run(t, func(t *testing.T) {
		d := &desk{T: t, recorder: events.NewFakeRecorder(100), queue: map[backlog.Key]bool{}}
		d.Client = fakeServer(t, d, objects)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		d.start(ctx, ended)
		test(d)
		cancel()
		<-ended
	})
}

func (d *desk) start(ctx context.Context, ended chan struct{}) {
	kinds := broker.Kinds{{
		Type: "redis", Port: 6379, Open: d.open,
		Parse: func(s broker.Settings) (broker.Config, error) { return config{s.Host}, nil },
	}}
	queues := backlog.New(backlog.Options{Notify: func(key backlog.Key) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.queue[key] = true
	}})
	d.Reconciler = New(Options{
		Client: d.Client, Claim: func(context.Context, string) (broker.Claim, error) { return broker.Claim{Process: "this one"}, nil }, Resolver: connection.NewResolver(kinds, d.Client, d.Client), Backlog: queues,
		Recorder: d.recorder, Clock: clock.RealClock{},
	})
	go func() {
		_ = queues.Start(ctx)
		close(ended)
	}()
}

func fakeServer(t *testing.T, d *desk, objects []client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.ScalerConfig{}).
		WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, o ...client.GetOption) error {
				if sc, ok := obj.(*v1alpha1.ScalerConfig); ok && d.stale != nil {
					d.stale.DeepCopyInto(sc)
					return nil
				}
				return c.Get(ctx, key, obj, o...)
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, p client.Patch, o ...client.SubResourcePatchOption) error {
				d.writes++
				if d.refuse == nil {
					return c.SubResource(sub).Patch(ctx, obj, p, o...)
				}
				var refused v1alpha1.ScalerConfig
				data, err := p.Data(obj)
				if refusal := errors.Join(err, json.Unmarshal(data, &refused), d.refuse(&refused)); refusal != nil {
					return refusal
				}
				return c.SubResource(sub).Patch(ctx, obj, p, o...)
			},
		}).Build()
}

// reconcile runs the reconciler now, and then for as long as it is woken within d.
func (d *desk) reconcile(within time.Duration) {
	d.Helper()
	d.set(func() { d.queue[keyOf(name)] = true })
	for until := time.Now().Add(within); ; {
		synctest.Wait()
		var woken bool
		d.set(func() { woken, d.queue = len(d.queue) > 0, map[backlog.Key]bool{} })
		if woken {
			if _, err := d.Reconcile(d.Context(), ctrl.Request{NamespacedName: name}); err != nil {
				d.Fatal(err)
			}
		}
		if !time.Now().Before(until) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// live is the object as the API server has it.
func (d *desk) live() *v1alpha1.ScalerConfig {
	d.Helper()
	stale := d.stale
	d.stale = nil
	defer func() { d.stale = stale }()
	var sc v1alpha1.ScalerConfig
	if err := d.Get(d.Context(), name, &sc); err != nil {
		d.Fatal(err)
	}
	return &sc
}

// conditions are shown as "Type=Status:Reason".
func (d *desk) conditions() []string {
	var shown []string
	for _, c := range d.live().Status.Conditions {
		shown = append(shown, c.Type+"="+string(c.Status)+":"+c.Reason)
	}
	return shown
}

func (d *desk) want(healthy bool, conditions ...string) {
	d.Helper()
	if got := d.live().Status.Healthy; got != healthy {
		d.Errorf("healthy = %t, want %t", got, healthy)
	}
	if diff := cmp.Diff(conditions, d.conditions()); diff != "" {
		d.Errorf("conditions (-want +got):\n%s", diff)
	}
}

func (d *desk) events() (seen []string) {
	for {
		select {
		case e := <-d.recorder.Events:
			seen = append(seen, e)
		default:
			return seen
		}
	}
}

func scalerConfig() *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Generation: 1},
		Spec:       v1alpha1.ScalerConfigSpec{Type: "redis", Config: v1alpha1.BrokerConfig{Host: "h"}},
	}
}

func TestABrokerFailsAndComesBack(t *testing.T) {
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
		if st := d.live().Status; st.ObservedGeneration != 1 {
			t.Errorf("observedGeneration = %d, want 1", st.ObservedGeneration)
		}
		refused := &broker.Error{Reason: broker.ReasonConnectionRefused, Message: "refused; is it running?"}
		d.set(func() { d.down = refused })
		d.reconcile(10 * time.Second)
		d.want(false, "Healthy=False:ConnectionRefused", "Pushes=True:Invalidations", "Reconciling=True:ConnectionRefused")
		d.set(func() { d.down, d.silent = nil, "it has no bell" })
		d.reconcile(10 * time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=False:Polled")

		writes := d.writes
		d.reconcile(10 * time.Minute)
		if d.writes != writes {
			t.Errorf("%d writes while nothing changed", d.writes-writes)
		}
		want := []string{"Warning ConnectionRefused refused; is it running?", "Normal BrokerAnswers the broker answers"}
		if diff := cmp.Diff(want, d.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	}, scalerConfig())
}

// Each step of the remedy shows: there is no Secret, then it lacks the key, then all is well.
func TestASecretThatIsMissing(t *testing.T) {
	sc := scalerConfig()
	sc.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "s", Key: "k"}}
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		d.want(false, "Healthy=False:SecretNotFound", "Stalled=True:SecretNotFound")
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"x": []byte("pw")}}
		if err := d.Create(d.Context(), secret); err != nil {
			t.Fatal(err)
		}
		d.reconcile(10 * time.Second)
		d.want(false, "Healthy=False:SecretKeyNotFound", "Stalled=True:SecretKeyNotFound")
		healthy := meta.FindStatusCondition(d.live().Status.Conditions, v1alpha1.ConditionHealthy)
		if strings.Contains(healthy.Message, "pw") || !strings.Contains(healthy.Message, `no key "k"`) {
			t.Errorf("message %q; want the key, and not the content", healthy.Message)
		}
		secret.Data["k"] = []byte("pw")
		if err := d.Update(d.Context(), secret); err != nil {
			t.Fatal(err)
		}
		d.reconcile(10 * time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
	}, sc)
}

// The broker fails and answers again before the cache shows that it failed.
func TestTheCacheIsOld(t *testing.T) {
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		d.stale = d.live()
		d.set(func() { d.down = errors.New("down") })
		d.reconcile(10 * time.Second)
		d.want(false, "Healthy=False:BrokerError", "Pushes=True:Invalidations", "Reconciling=True:BrokerError")
		d.set(func() { d.down = nil })
		d.reconcile(10 * time.Second)
		d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
	}, scalerConfig())
}

func TestARestartOfTheOperatorWritesNothing(t *testing.T) {
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		writes := d.writes
		ctx, cancel := context.WithCancel(d.Context())
		ended := make(chan struct{})
		d.start(ctx, ended)
		d.reconcile(time.Second)
		if d.writes != writes {
			t.Errorf("%d writes, want none", d.writes-writes)
		}
		cancel()
		<-ended
	}, scalerConfig())
}

func TestADeletedScalerConfigIsForgotten(t *testing.T) {
	inBubble(t, func(d *desk) {
		d.reconcile(time.Second)
		if err := d.Delete(d.Context(), d.live()); err != nil {
			t.Fatal(err)
		}
		d.reconcile(time.Second)
		synctest.Wait()
		if d.closed != 1 {
			t.Errorf("%d connections closed, want the one", d.closed)
		}
	}, scalerConfig())
}
