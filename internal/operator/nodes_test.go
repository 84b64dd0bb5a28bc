package operator

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// reviews is what an API server says that knows access reviews and nothing else, by path.
var reviews = map[string]string{
	"/api":  `{"kind":"APIVersions","versions":[]}`,
	"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"authorization.k8s.io","versions":[{"groupVersion":"authorization.k8s.io/v1","version":"v1"}]}]}`,
	"/apis/authorization.k8s.io/v1": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"authorization.k8s.io/v1","resources":[` +
		`{"name":"selfsubjectaccessreviews","kind":"SelfSubjectAccessReview","namespaced":false,"verbs":["create"]}]}`,
	"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": review(`"allowed":true`),
}

func review(status string) string {
	return `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{` + status + `}}`
}

// A no is kept until the process ends: it must be one. Each request of the question fails in turn, by an error or by an
// answer that the API server is not sure of.
func TestEachReadOfTheRightToReadNodesFails(t *testing.T) {
	// ask asks a server of which one request is answered otherwise.
	ask := func(failing, code int, body string) (may bool, requests int, err error) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			answer := reviews[r.URL.Path]
			if requests++; requests == failing {
				w.WriteHeader(code)
				answer = body
			}
			_, _ = io.WriteString(w, answer)
		}))
		defer server.Close()
		may, err = mayWatchNodes(t.Context(), &rest.Config{Host: server.URL})
		return may, requests, err
	}
	may, requests, err := ask(0, 0, "")
	if !may || err != nil || requests < 2 {
		t.Fatalf("all is allowed: %t, %v, after %d requests", may, err, requests)
	}
	for n := 1; n <= requests; n++ {
		if may, _, err := ask(n, http.StatusServiceUnavailable, ""); !may && err == nil {
			t.Errorf("request %d of %d has failed, and the answer is no", n, requests)
		}
	}
	for _, n := range []int{requests - 1, requests} { // list and watch
		may, _, err := ask(n, http.StatusCreated, review(`"allowed":false,"evaluationError":"the authorizer is away"`))
		if may || !errors.As(err, new(unsure)) || !strings.Contains(err.Error(), "the authorizer is away") {
			t.Errorf("the API server is not sure: %t, %v", may, err)
		}
		if may, _, err := ask(n, http.StatusCreated, review(`"allowed":true,"evaluationError":"another authorizer is away"`)); !may || err != nil {
			t.Errorf("the API server is sure all the same: %t, %v", may, err)
		}
		if may, _, err := ask(n, http.StatusCreated, review(`"allowed":false`)); may || err != nil {
			t.Errorf("the API server says no: %t, %v", may, err)
		}
	}
}
