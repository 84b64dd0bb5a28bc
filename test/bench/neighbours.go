package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/redislist"
)

// neighbour is the namespace of those who are not to slow anybody.
const neighbour = "neighbour"

// neighbours measures push to pod of a quiet fleet, by itself and beside two neighbours: many fleets whose pods wait in an
// admission webhook, and some whose broker has lists of dead workers that never were. The limit is the quiet fleet alone.
func neighbours(ctx context.Context, s *stand, o options) ([]figure, error) {
	const (
		alone  = "limit: push to pod of a quiet fleet, alone"
		behind = "beside 64 fleets whose pods wait 9 s in an admission webhook"
		beside = "beside 20 fleets with 2000 lists of dead workers each"
	)
	var c collector
	if err := s.client.Create(ctx, qworker("bench", queue, 1)); err != nil {
		return nil, err
	}
	if err := s.awaitQWorkers(ctx, 1, isRead); err != nil {
		return nil, err
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: neighbour}}, inNeighbourhood(scalerConfig(s.server.Port())),
	} {
		if err := s.client.Create(ctx, object); err != nil {
			return nil, err
		}
	}
	if err := s.pushes(ctx, o, &c, alone); err != nil {
		return nil, err
	}
	tidy, err := s.slowNeighbours(ctx, 64, 9*time.Second)
	if err != nil {
		return nil, err
	}
	if err := s.pushes(ctx, o, &c, behind); err != nil {
		return nil, err
	}
	if err := tidy(); err != nil {
		return nil, err
	}
	if err := s.inventingNeighbours(ctx, 20, 2000); err != nil {
		return nil, err
	}
	if err := s.pushes(ctx, o, &c, beside); err != nil {
		return nil, err
	}
	for _, name := range []string{behind, beside} {
		c.add("p99 "+name+", of that alone", "x", c.of(name).P99()/c.of(alone).P99())
	}
	return c.figures, nil
}

// pushes samples push to pod of the quiet fleet.
func (s *stand) pushes(ctx context.Context, o options, c *collector, name string) error {
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	defer pods.Stop()
	for i := range o.samples {
		took, _, err := s.samplePush(ctx, pods)
		if err != nil {
			return fmt.Errorf("%s, sample %d, %w", name, i, err)
		}
		c.took(name, took)
	}
	return nil
}

func inNeighbourhood[T client.Object](object T) T {
	object.SetNamespace(neighbour)
	return object
}

// slowNeighbours creates fleets with a burst of messages, whose pods wait in an admission webhook.
func (s *stand) slowNeighbours(ctx context.Context, n int, wait time.Duration) (tidy func() error, err error) {
	const busy = 16 // as many pods wait at once, at the least, while somebody else is measured
	var waiting atomic.Int32
	full, fill := make(chan struct{}), sync.Once{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waiting.Add(1) >= busy {
			fill.Do(func() { close(full) })
		}
		defer waiting.Add(-1)
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		_ = json.NewEncoder(w).Encode(review)
	}))
	config := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: neighbour},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "slow.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &server.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: neighbour}},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr.To[int32](30),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
	if err := s.client.Create(ctx, config); err != nil {
		return nil, err
	}
	const messages = 50
	fleets := make([]*v1alpha1.QWorker, n)
	for i := range fleets {
		name := fmt.Sprintf("slow-%d", i)
		fleets[i] = inNeighbourhood(qworker(name, name, messages))
		if err := s.client.Create(ctx, fleets[i]); err != nil {
			return nil, err
		}
		if err := s.push(ctx, name, messages); err != nil {
			return nil, err
		}
	}
	select {
	case <-full:
	case <-time.After(waitLimit):
		return nil, fmt.Errorf("%d pods wait in the webhook after %s, want %d", waiting.Load(), waitLimit, busy)
	}
	return func() error {
		defer server.CloseClientConnections()
		for _, fleet := range fleets {
			if err := s.client.Delete(ctx, fleet); err != nil {
				return err
			}
		}
		return s.client.Delete(ctx, config)
	}, nil
}

// inventingNeighbours creates fleets, and then lists of workers of theirs that never were. The next operator
// searches for such lists.
func (s *stand) inventingNeighbours(ctx context.Context, n, lists int) error {
	for i := range n {
		name := fmt.Sprintf("inventing-%d", i)
		fleet := inNeighbourhood(qworker(name, name, 1))
		if err := s.client.Create(ctx, fleet); err != nil {
			return err
		}
		keys := make([]string, lists)
		for j := range keys {
			keys[j] = redislist.Processing(name, revision.NamePrefix(fleet)+rand.String(10))
		}
		if err := s.pipelineOf(ctx, keys); err != nil {
			return err
		}
	}
	if err := s.operator.stop(); err != nil {
		return err
	}
	if err := s.operator.start(ctx); err != nil {
		return err
	}
	for began := time.Now(); ; { // until the first of them are found and reclaimed
		left, err := s.redis.Do(ctx, s.redis.B().Dbsize().Build()).AsInt64()
		switch {
		case err != nil:
			return err
		case left < int64(n*lists):
			return nil
		case time.Since(began) > waitLimit:
			return fmt.Errorf("no list was reclaimed within %s", waitLimit)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// pipelineOf has one task in each list.
func (s *stand) pipelineOf(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.push(ctx, key, 1); err != nil {
			return err
		}
	}
	return nil
}
