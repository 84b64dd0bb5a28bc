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
	ReasonSecretNotLabelled    = "SecretNotLabelled"
	ReasonInvalidCA            = "InvalidCA"
	ReasonInvalidClientCert    = "InvalidClientCertificate"
	ReasonHostNotAllowed       = string(broker.ReasonHostNotAllowed)
	ReasonUnknownType          = "UnknownBrokerType"
	ReasonInvalidConnection    = "InvalidConnection"
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

// Resolver knows the kinds of brokers, and finds out what a Spec refers to.
type Resolver struct {
	kinds        broker.Kinds
	cached, live client.Reader
	limits       Limits
	prints       *fingerprints
}

// NewResolver reads ScalerConfigs from the cache, and Secrets by name from the API server: a cache of them
// would need the right to list them all.
func NewResolver(kinds broker.Kinds, cached, live client.Reader) *Resolver {
	return &Resolver{kinds: kinds, cached: cached, live: live, prints: newFingerprints(NewFingerprintKey())}
}

// Within is the Resolver that keeps to limits.
func (r *Resolver) Within(limits Limits) *Resolver {
	within := *r
	within.limits = limits
	return &within
}

// WithKey is a Resolver whose fingerprints of passwords are those of all that have the key. Without it only the same
// Resolver makes the same ones.
func (r *Resolver) WithKey(key FingerprintKey) *Resolver {
	with := *r
	with.prints = newFingerprints(key)
	return &with
}

// Normalise is the normal form of a ScalerConfig's connection.
func (r *Resolver) Normalise(sc *v1alpha1.ScalerConfig) Spec { return Normalise(r.kinds, sc) }

// Kind is the kind of broker that a connection reaches; the zero Kind where there is none of its type.
func (r *Resolver) Kind(s Spec) broker.Kind {
	kind, _ := r.kinds.Of(s.Type)
	return kind
}

// Config resolves a connection of a namespace. Secrets are read from that namespace and no other.
func (r *Resolver) Config(ctx context.Context, namespace string, s Spec) (broker.Config, error) {
	kind, err := r.kinds.Of(s.Type)
	if err != nil {
		return nil, &Error{ReasonUnknownType, err.Error()}
	}
	if !r.limits.Hosts.Allow(s.Host) {
		return nil, &Error{ReasonHostNotAllowed, fmt.Sprintf("ScalerConfig %s/%s: the operator may not dial config.host %q, which is not among the hosts of its flag --allowed-broker-hosts; ask who runs the operator to add it", namespace, s.Name, s.Host)}
	}
	settings := s.settings()
	settings.Allows = r.limits.Hosts.Allow
	password, err := r.password(ctx, namespace, s)
	if err != nil {
		return nil, err
	}
	settings.Password = broker.NewSecret(password)
	own, err := r.ownPassword(ctx, namespace, s)
	if err != nil {
		return nil, err
	}
	settings.OwnPassword = broker.NewSecret(own)
	r.readWorkersOwn(ctx, namespace, s)
	if s.TLS.Enabled {
		settings.ServerName = s.TLS.ServerName
		if settings.TLS, settings.CA, err = r.tls(ctx, namespace, s); err != nil {
			return nil, err
		}
	}
	config, err := kind.Parse(settings)
	if err != nil {
		return nil, &Error{ReasonInvalidConnection, fmt.Sprintf("ScalerConfig %s/%s: %v", namespace, s.Name, err)}
	}
	return config, nil
}

func (r *Resolver) password(ctx context.Context, namespace string, s Spec) (string, error) {
	switch {
	case s.Password.Literal:
		return r.literal(ctx, namespace, s, s.literalPassword, "config.password.value")
	case s.Password.Secret != KeyRef{}:
		if !s.Worker.Own {
			return r.readWorkers(ctx, namespace, s, s.Password.Secret, "config.password.secret")
		}
		return r.secret(ctx, namespace, s.Password.Secret, "config.password.secret")
	}
	return "", nil
}

// ownPassword is the password of the block of the broker's own settings, "" where it has none.
func (r *Resolver) ownPassword(ctx context.Context, namespace string, s Spec) (string, error) {
	switch {
	case s.OwnPassword.Literal:
		return r.literal(ctx, namespace, s, s.literalOwnPassword, ownPasswordField+".value")
	case s.OwnPassword.Secret != KeyRef{}:
		return r.secret(ctx, namespace, s.OwnPassword.Secret, ownPasswordField+".secret")
	}
	return "", nil
}

// literal is a password that stands in the ScalerConfig.
func (r *Resolver) literal(ctx context.Context, namespace string, s Spec, of func(*v1alpha1.ScalerConfig) string, field string) (string, error) {
	var sc v1alpha1.ScalerConfig
	err := r.cached.Get(ctx, types.NamespacedName{Namespace: namespace, Name: s.Name}, &sc)
	if apierrors.IsNotFound(err) {
		return "", &Error{ReasonScalerConfigNotFound, fmt.Sprintf("there is no ScalerConfig %q in namespace %s, which has the broker's password; create it", s.Name, namespace)}
	}
	if err != nil {
		return "", fmt.Errorf("reading ScalerConfig %s/%s, %w", namespace, s.Name, err)
	}
	password := of(&sc)
	if password == "" {
		return "", &Error{ReasonPasswordNotFound, fmt.Sprintf("ScalerConfig %s/%s has no %s any more, which the published revision of a QWorker uses; set it again, or wait until the newest revision has a ready pod", namespace, s.Name, field)}
	}
	return password, nil
}

func (r *Resolver) tls(ctx context.Context, namespace string, s Spec) (config *tls.Config, ca string, err error) {
	config = &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: s.TLS.ServerName,
		// Only where the user asks for it, for tests.
		InsecureSkipVerify: s.TLS.InsecureSkipVerify,
	}
	if config.ServerName == "" {
		config.ServerName = s.Host
	}
	if (s.TLS.CA != KeyRef{}) {
		if ca, err = r.secret(ctx, namespace, s.TLS.CA, "config.tls.caSecret"); err != nil {
			return nil, "", err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, "", &Error{ReasonInvalidCA, fmt.Sprintf("config.tls.caSecret: key %q of Secret %s/%s has no PEM certificate", s.TLS.CA.Key, namespace, s.TLS.CA.Name)}
		}
	}
	if s.TLS.ClientCert != "" {
		certificate, err := r.clientCertificate(ctx, namespace, s.TLS.ClientCert)
		if err != nil {
			return nil, "", err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, ca, nil
}

func (r *Resolver) clientCertificate(ctx context.Context, namespace, secret string) (tls.Certificate, error) {
	const field = "config.tls.clientCertSecret"
	var pems [2]string
	for i, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		var err error
		if pems[i], err = r.secret(ctx, namespace, KeyRef{Name: secret, Key: key}, field); err != nil {
			return tls.Certificate{}, err
		}
	}
	certificate, err := tls.X509KeyPair([]byte(pems[0]), []byte(pems[1]))
	if err != nil {
		return tls.Certificate{}, &Error{ReasonInvalidClientCert, fmt.Sprintf("%s: Secret %s/%s must have a PEM certificate under %s and its key under %s: %v", field, namespace, secret, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, err)}
	}
	return certificate, nil
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
	if r.limits.LabelledSecrets && secret.Labels[SecretLabel] != "true" {
		return "", &Error{ReasonSecretNotLabelled, fmt.Sprintf("%s: Secret %s/%s has no label %s=true, without which this operator uses no Secret; if it is meant for the broker, run kubectl label secret -n %s %s %s=true", field, namespace, ref.Name, SecretLabel, namespace, ref.Name, SecretLabel)}
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", &Error{ReasonSecretKeyNotFound, fmt.Sprintf("%s: Secret %s/%s has no key %q; add it or correct the key", field, namespace, ref.Name, ref.Key)}
	}
	return string(value), nil
}
