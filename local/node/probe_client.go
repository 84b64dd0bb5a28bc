package node

import (
	"crypto/tls"
	"net/http"
)

// probeClient asks as a kubelet does: without verifying certificates, over a connection of its own.
func probeClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
}
