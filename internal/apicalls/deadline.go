package apicalls

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// WithDeadline ends each call that has no answer within a time, watches apart.
func WithDeadline(within time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return RoundTripperFunc(func(r *http.Request) (*http.Response, error) {
			if isWatch(r) {
				return next.RoundTrip(r)
			}
			ctx, cancel := context.WithTimeout(r.Context(), within)
			response, err := next.RoundTrip(r.WithContext(ctx))
			if err != nil {
				if ctx.Err() != nil && r.Context().Err() == nil {
					err = fmt.Errorf("no answer within %s, %w", within, err)
				}
				cancel()
				return nil, err
			}
			response.Body = &body{response.Body, cancel}
			return response, nil
		})
	}
}

// isWatch reports whether a request is meant to last.
func isWatch(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return watch != "" && watch != "0" && watch != "false"
}

// body ends the call's context once the answer is read.
type body struct {
	io.ReadCloser

	cancel context.CancelFunc
}

// Close is io.Closer's.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
