package operator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// serveProbes answers /healthz and /readyz from the first moment on, until stop is called: whoever looks at an operator
// that waits is told what it waits for.
func serveProbes(address string, s *standing) (stop func(), err error) {
	if address == "" || address == "0" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serving the probes at %s, %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		notes, err := s.ready()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
		if notes != "" {
			_, _ = fmt.Fprintln(w, notes)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error(err, "Serving the probes")
		}
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
