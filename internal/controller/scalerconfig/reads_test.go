package scalerconfig

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
)

// failing is the operator's client. Of its reads the n-th fails.
func (d *desk) failing(n int, reads *int, failed *string) client.Client {
	return interceptor.NewClient(d.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			d.mu.Lock()
			*reads++
			fails := *reads == n
			if fails {
				*failed = fmt.Sprintf("%T %s", o, key.Name)
			}
			d.mu.Unlock()
			if fails {
				return apierrors.NewServiceUnavailable("away")
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

// follow reconciles for so long whenever that is due, and returns the errors.
func (d *desk) follow(within time.Duration) (failures []error) {
	d.set(func() { d.queue[keyOf(name)] = true })
	for until := time.Now().Add(within); time.Now().Before(until); <-time.After(retryBase) {
		synctest.Wait()
		var woken bool
		d.set(func() { woken, d.queue = len(d.queue) > 0, map[backlog.Key]bool{} })
		if !woken {
			continue
		}
		if _, err := d.Reconcile(d.Context(), ctrl.Request{NamespacedName: name}); err != nil {
			failures = append(failures, err)
			d.set(func() { d.queue[keyOf(name)] = true })
		}
	}
	return failures
}

// Each read fails once, of a reconciliation and of what it has the backlog look up. A ScalerConfig that cannot be read is
// an error and is not a deleted one: its connection stays. A Secret that cannot be read is not one that is missing. What
// comes next finds all well.
func TestEachReadFails(t *testing.T) {
	sc := scalerConfig()
	sc.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "s", Key: "k"}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s"}, Data: map[string][]byte{"k": []byte("pw")}}
	const lasts = 150 * time.Second // in which the credentials are looked up again twice, a minute apart, more or less
	operate := func(t *testing.T, n int) (reads int) {
		inBubble(t, func(d *desk) {
			var failed string
			ctx, cancel := context.WithCancel(d.Context())
			ended := make(chan struct{})
			server := d.Client
			d.Client = d.failing(n, &reads, &failed)
			d.start(ctx, ended)
			d.Client = server // what follows are the test's own reads
			failures := d.follow(lasts)
			cancel()
			<-ended
			wantErrors := 0
			if strings.HasPrefix(failed, "*v1alpha1.ScalerConfig") {
				wantErrors = 1
			}
			if (failed == "") != (n == 0) || len(failures) != wantErrors {
				t.Errorf("read %d, %q, has failed: %v; want %d errors", n, failed, failures, wantErrors)
			}
			if d.closed != 1 {
				t.Errorf("%s has failed, and %d connections were closed, want the one at the end", failed, d.closed)
			}
			if missing := slices.ContainsFunc(d.events(), func(e string) bool { return strings.Contains(e, "NotFound") }); missing {
				t.Errorf("%s has failed, and is said not to be there", failed)
			}
			d.want(true, "Healthy=True:BrokerAnswers", "Pushes=True:Invalidations")
		}, sc.DeepCopy(), secret.DeepCopy())
		return reads
	}
	reads := operate(t, 0)
	if reads < 4 {
		t.Errorf("there were %d reads: of the ScalerConfig twice, and of the Secret at the start and later", reads)
	}
	for n := 1; n <= reads; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) { operate(t, n) })
	}
}
