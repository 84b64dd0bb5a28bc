package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
)

// tlsConfig is nil where NATS speaks plain TCP. What it does not understand is an error: the password must not be sent
// in the clear instead.
func tlsConfig() (*tls.Config, error) {
	switch value := os.Getenv("QSCALER_BROKER_TLS"); value {
	case "true":
	case "", "false":
		return nil, nil
	default:
		return nil, fmt.Errorf("QSCALER_BROKER_TLS is %q; it must be true, false or empty", value)
	}
	host, _, err := net.SplitHostPort(required("QSCALER_BROKER_ADDRESS"))
	if err != nil {
		return nil, fmt.Errorf("QSCALER_BROKER_ADDRESS is no host:port, %w", err)
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         cmp.Or(os.Getenv("QSCALER_BROKER_TLS_SERVER_NAME"), host),
		InsecureSkipVerify: os.Getenv("QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY") == "true", //nolint:gosec // only where the ScalerConfig says so
	}
	authorities := []byte(os.Getenv("QSCALER_BROKER_TLS_CA"))
	if path := os.Getenv("QSCALER_BROKER_TLS_CA_FILE"); path != "" {
		if authorities, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("reading the authorities, %w", err)
		}
	}
	if len(authorities) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("the authorities to trust have no PEM certificate")
		}
	}
	if cert, key := os.Getenv("QSCALER_BROKER_TLS_CERT_FILE"), os.Getenv("QSCALER_BROKER_TLS_KEY_FILE"); cert != "" {
		// Read anew for each connection: such certificates are renewed while a worker runs.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(cert, key)
			return &certificate, err
		}
	}
	return config, nil
}
