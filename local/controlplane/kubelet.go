package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
)

// KubeletConfig is what a node on this machine serves its port with: the API server believes the certificate, and
// nobody but the API server is let in.
func (c *ControlPlane) KubeletConfig() (*tls.Config, error) {
	dir := filepath.Join(c.options.Dir, keysDir)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, servingCert), filepath.Join(dir, servingKey))
	if err != nil {
		return nil, fmt.Errorf("reading the certificate for a node's port, %w", err)
	}
	callers := x509.NewCertPool()
	if !callers.AppendCertsFromPEM(c.keys.ca) {
		return nil, errors.New("reading the authority of the API server's certificates: it is none")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: callers,
		MinVersion: tls.VersionTLS13,
	}, nil
}
