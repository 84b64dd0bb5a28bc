package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// Reasons of an Error.
const (
	ReasonScalerConfigNotFound = "ScalerConfigNotFound"
	ReasonSecretNotFound       = "SecretNotFound"
	ReasonSecretKeyNotFound    = "SecretKeyNotFound"
	ReasonSecretForbidden      = "SecretForbidden"
	ReasonSecretUnreadable     = "SecretUnreadable"
	ReasonPasswordNotFound     = "PasswordNotFound"
	ReasonInvalidCA            = "InvalidCA"
)

// Error is why a connection cannot be made.
type Error struct {
	// Reason is a condition's.
	Reason string
	// Message names the object and the remedy.
	Message string
}

func (e *Error) Error() string { return e.Message }

// FailureReason tells one failure from another where only errors are known; see broker.ReasonOf.
func (e *Error) FailureReason() broker.Reason { return broker.Reason(e.Reason) }

// Lasting is true unless the API server only failed to answer; see broker.Lasting.
func (e *Error) Lasting() bool { return e.Reason != ReasonSecretUnreadable }

// Resolver finds out what a Spec refers to.
type Resolver struct {
	cached, live client.Reader
}

// NewResolver reads ScalerConfigs from the cache, and Secrets by name from the API server: a cache of them
// would need the right to list them all.
func NewResolver(cached, live client.Reader) *Resolver { return &Resolver{cached: cached, live: live} }

// Endpoint resolves a connection of a namespace. Secrets are read from that namespace and no other.
func (r *Resolver) Endpoint(ctx context.Context, namespace string, s Spec) (broker.Endpoint, error) {
	e := broker.Endpoint{Type: s.Type, Address: s.Address(), Username: s.Username, Database: int(s.Database)}
	var err error
	if e.Password, err = r.password(ctx, namespace, s); err != nil {
		return broker.Endpoint{}, err
	}
	if s.TLS.Enabled {
		if e.TLS, err = r.tls(ctx, namespace, s); err != nil {
			return broker.Endpoint{}, err
		}
	}
	return e, nil
}

func (r *Resolver) password(ctx context.Context, namespace string, s Spec) (string, error) {
	switch {
	case s.Password.Literal:
		var sc v1alpha1.ScalerConfig
		err := r.cached.Get(ctx, types.NamespacedName{Namespace: namespace, Name: s.Name}, &sc)
		if apierrors.IsNotFound(err) {
			return "", &Error{ReasonScalerConfigNotFound, fmt.Sprintf("there is no ScalerConfig %q in namespace %s, which has the broker's password; create it", s.Name, namespace)}
		}
		if err != nil {
			return "", fmt.Errorf("reading ScalerConfig %s/%s, %w", namespace, s.Name, err)
		}
		password := s.literalPassword(&sc)
		if password == "" {
			return "", &Error{ReasonPasswordNotFound, fmt.Sprintf("ScalerConfig %s/%s has no config.password.value any more, which the published revision of a QWorker uses; set it again, or wait until the newest revision has a ready pod", namespace, s.Name)}
		}
		return password, nil
	case s.Password.Secret != KeyRef{}:
		return r.secret(ctx, namespace, s.Password.Secret, "config.password.secret")
	}
	return "", nil
}

func (r *Resolver) tls(ctx context.Context, namespace string, s Spec) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: s.TLS.ServerName,
		// Only where the user asks for it, for tests.
		InsecureSkipVerify: s.TLS.InsecureSkipVerify,
	}
	if config.ServerName == "" {
		config.ServerName = s.Host
	}
	if (s.TLS.CA == KeyRef{}) {
		return config, nil
	}
	pem, err := r.secret(ctx, namespace, s.TLS.CA, "config.tls.caSecret")
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
		return nil, &Error{ReasonInvalidCA, fmt.Sprintf("config.tls.caSecret: key %q of Secret %s/%s has no PEM certificate", s.TLS.CA.Key, namespace, s.TLS.CA.Name)}
	}
	return config, nil
}

func (r *Resolver) secret(ctx context.Context, namespace string, ref KeyRef, field string) (string, error) {
	var secret corev1.Secret
	err := r.live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return "", &Error{ReasonSecretNotFound, fmt.Sprintf("%s: there is no Secret %q in namespace %s; create it or correct the name", field, ref.Name, namespace)}
	case apierrors.IsForbidden(err):
		return "", &Error{ReasonSecretForbidden, fmt.Sprintf("%s: the operator may not read Secret %s/%s; give its service account the verb get on secrets there", field, namespace, ref.Name)}
	case err != nil:
		return "", &Error{ReasonSecretUnreadable, fmt.Sprintf("%s: reading Secret %s/%s: %v", field, namespace, ref.Name, err)}
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", &Error{ReasonSecretKeyNotFound, fmt.Sprintf("%s: Secret %s/%s has no key %q; add it or correct the key", field, namespace, ref.Name, ref.Key)}
	}
	return string(value), nil
}
