package controlplane

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
)

// tokenLifetime is that of a ServiceAccount's token: nobody renews it.
const tokenLifetime = 365 * 24 * time.Hour

// ServiceAccountConfig is the configuration of a client that acts as the ServiceAccount, which must exist.
func (c *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return nil, err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: ptr.To(int64(tokenLifetime.Seconds())),
	}}
	answer, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("requesting a token for the ServiceAccount %s/%s, %w", namespace, name, err)
	}
	return &rest.Config{
		Host:            c.port.url(),
		BearerToken:     answer.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.keys.ca},
	}, nil
}

// WriteKubeconfig writes a configuration with a bearer token as a kubeconfig, for kubectl and for programs
// that are started by its path.
func WriteKubeconfig(path string, config *rest.Config) error {
	const name = "qscaler-local"
	k := api.NewConfig()
	k.Clusters[name] = &api.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	k.AuthInfos[name] = &api.AuthInfo{Token: config.BearerToken}
	k.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	k.CurrentContext = name
	return clientcmd.WriteToFile(*k, path)
}
