package qworker_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/worker/contract"
)

// webhook is an admission webhook that the test serves.
type webhook struct {
	url    string
	caPEM  []byte
	denies atomic.Bool
	// hangs is closed once the webhook answers; nil means that it answers at once.
	hangs chan struct{}
	asked atomic.Int32
}

// denial is what a webhook says.
const denial = "no workers on a Friday"

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	w := &webhook{}
	w.denies.Store(true)
	server := httptest.NewTLSServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return w
}

// ServeHTTP answers the API server.
func (w *webhook) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	w.asked.Add(1)
	if w.hangs != nil {
		select {
		case <-w.hangs:
		case <-request.Context().Done():
			return
		}
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: !w.denies.Load()}
	if !review.Response.Allowed {
		review.Response.Result = &metav1.Status{Message: denial}
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(review)
}

// config has the webhook asked about an operation on the pods of a QWorker.
func (w *webhook) config(worker string, operation admissionregistrationv1.OperationType) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{Webhooks: []admissionregistrationv1.ValidatingWebhook{{
		Name:         "friday.example.com",
		ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &w.url, CABundle: w.caPEM},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{operation},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}},
		ObjectSelector:          &metav1.LabelSelector{MatchLabels: map[string]string{contract.LabelQWorker: worker}},
		FailurePolicy:           ptr.To(admissionregistrationv1.Fail),
		SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
	}}}
}
