package config_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startAPI starts a real API server, of the binaries in $KUBEBUILDER_ASSETS, that has the two kinds.
// `make test` sets the variable.
func startAPI(t *testing.T) client.Client {
	t.Helper()
	server := &envtest.Environment{CRDDirectoryPaths: []string{"crd/bases"}, ErrorIfCRDPathMissing: true}
	config, err := server.Start()
	if err != nil {
		t.Fatalf("starting an API server (run make test, or set KUBEBUILDER_ASSETS): %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	config.QPS = -1 // no limit of the client's own
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(api, "Strict")
}
