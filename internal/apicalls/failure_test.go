package apicalls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/bubbletest"
)

func never(context.Context) bool { return false }

// get reads once, and returns what came and how long it took.
func get(t *testing.T, rt http.RoundTripper, url string) (said string, took time.Duration) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	response, err := rt.RoundTrip(r)
	took = time.Since(began)
	if err != nil {
		return err.Error(), took
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return fmt.Sprintf("%d %s: %.40s", response.StatusCode, response.Header.Get("Content-Type"), text), took
}

// A read that may not wait fails at once as it did a moment ago, and the server is asked again once a second at most. It
// never waits, however long the pause of the others is.
func TestAReadThatMayNotWaitIsAnsweredAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
		err    error
		want   string
		asked  int
	}{
		"a refusal":               {status: http.StatusForbidden, text: `{"kind":"Status"}`, want: `403 application/json: {"kind":"Status"}`, asked: 11},
		"no answer":               {err: errors.New("connection refused"), want: "connection refused", asked: 11},
		"an answer without words": {status: http.StatusInternalServerError, want: "500 application/json: ", asked: 11},
		"an answer that is too long to be kept": {
			status: http.StatusInternalServerError, text: strings.Repeat("x", longestText+1),
			want: "500 application/json: " + strings.Repeat("x", 40), asked: 1001,
		},
		"an answer":           {status: http.StatusOK, text: "pods", want: "200 application/json: pods", asked: 1001},
		"what does not exist": {status: http.StatusNotFound, text: "no", want: "404 application/json: no", asked: 1001},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				asked := 0
				pace := NewPace(testPause, clock.RealClock{}, never)
				rt := pace.Around(RoundTripperFunc(func(*http.Request) (*http.Response, error) {
					asked++
					if c.err != nil {
						return nil, c.err
					}
					return &http.Response{
						StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.text)),
						Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"60"}},
					}, nil
				}))
				for range 1001 { // 10 s, 100 in each; from the fourth failure on the pause is longer than a second
					said, took := get(t, rt, "http://api/api/v1/namespaces/n")
					if said != c.want || took != 0 {
						t.Fatalf("it said %q after %s, want %q at once", said, took, c.want)
					}
					<-time.After(10 * time.Millisecond)
				}
				if asked < c.asked || asked > c.asked+6 {
					t.Errorf("the server was asked %d times, want %d and a few at the beginning", asked, c.asked)
				}
			})
		})
	}
}

// Of very many reads that fail at once, no more answers are kept than there is room for.
func TestFewAnswersAreKept(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		pace := NewPace(testPause, clock.RealClock{}, never)
		rt := pace.Around(RoundTripperFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusInternalServerError, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", longestText)))}, nil
		}))
		for i := range 5 * mostFailing {
			get(t, rt, fmt.Sprint("http://api/", i))
		}
		kept := 0
		for _, f := range pace.failing {
			kept += len(f.last.text)
		}
		if most := mostFailing * longestText; kept != most {
			t.Errorf("%d bytes of answers are kept, want %d", kept, most)
		}
	})
}

// Who writes where an admission webhook says to ask again in an hour has the answer at once, and decides.
func TestNobodySaysWhenToAskAgain(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(WithoutRetries)
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, read := api.CoreV1().Pods("n").Get(ctx, "p", metav1.GetOptions{})
	written := api.CoreV1().Pods("n").Delete(ctx, "p", metav1.DeleteOptions{})
	if diff := cmp.Diff([]bool{true, true}, []bool{apierrors.IsTooManyRequests(read), apierrors.IsTooManyRequests(written)}); diff != "" || asked != 2 {
		t.Errorf("%v and %v after %d requests, want a refusal of each after one", read, written, asked)
	}
}
