package apicalls

import "net/http"

// WithoutRetries keeps from the client library when an answer says to ask again: it would wait for that, ten times in a row,
// whoever has asked. An admission webhook may name any time, and a reconciliation would hold its place for so long. Whoever
// asks tries again by a pause of their own.
func WithoutRetries(next http.RoundTripper) http.RoundTripper {
	return RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil {
			response.Header.Del("Retry-After")
		}
		return response, err
	})
}
