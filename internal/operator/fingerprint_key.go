package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/connection"
)

// FingerprintSecretName is the Secret in the operator's own namespace with the key of the fingerprints of passwords. It
// comes with the operator and is empty: the operator may not create Secrets, and fills this one.
const FingerprintSecretName = "qscaler-password-fingerprints"

const fingerprintSecretKey = "key"

// fingerprintKeyWithin bounds the wait for the key: without it the operator does nearly all it does.
const fingerprintKeyWithin = 5 * time.Second

// fingerprintKeyOf is the key that all operators of one namespace have, one after another and as replicas. Where it cannot
// be had it is one of this process alone: then the pods of before say nothing of their password, and stay.
func fingerprintKeyOf(ctx context.Context, o Options, clk clock.Clock) (connection.FingerprintKey, error) {
	namespace, err := leaseNamespace(o)
	if err != nil {
		return connection.NewFingerprintKey(), nil // outside of a cluster, where no operator comes after this one
	}
	c, err := client.New(patiently(o.Config), client.Options{Scheme: NewScheme()}) // not the manager's, which writes as the leader alone
	if err != nil {
		return connection.NewFingerprintKey(), err
	}
	name := client.ObjectKey{Namespace: namespace, Name: FingerprintSecretName}
	key, err := awaitFingerprintKey(ctx, c, name, clk)
	if err != nil {
		return connection.NewFingerprintKey(), fmt.Errorf("reading the key from Secret %s, which config/manager has, %w", name, err)
	}
	return key, nil
}

// awaitFingerprintKey asks again whatever the API server answers, for a while: one that has just started refuses
// everything.
func awaitFingerprintKey(ctx context.Context, c client.Client, name client.ObjectKey, clk clock.Clock) (connection.FingerprintKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fingerprintKeyWithin)
	defer cancel()
	for pause := again.Next(0); ; pause = again.Next(pause) {
		key, err := readFingerprintKey(ctx, c, name)
		if err == nil || apierrors.IsNotFound(err) || errors.Is(err, errNoFingerprintKey) {
			return key, err
		}
		select {
		case <-ctx.Done():
			return key, err
		case <-clk.After(pause):
		}
	}
}

var errNoFingerprintKey = errors.New("what is there has another length; remove it, and start the operator again")

// readFingerprintKey reads the key, and writes one where there is none. Of two that write one at the same time the API
// server takes one.
func readFingerprintKey(ctx context.Context, c client.Client, name client.ObjectKey) (connection.FingerprintKey, error) {
	var secret corev1.Secret
	if err := c.Get(ctx, name, &secret); err != nil {
		return connection.FingerprintKey{}, err
	}
	var key connection.FingerprintKey
	switch stored := secret.Data[fingerprintSecretKey]; len(stored) {
	case len(key):
		return connection.FingerprintKey(stored), nil
	case 0:
		key = connection.NewFingerprintKey()
		secret.Data = map[string][]byte{fingerprintSecretKey: key[:]}
		return key, c.Update(ctx, &secret)
	}
	return key, errNoFingerprintKey
}
