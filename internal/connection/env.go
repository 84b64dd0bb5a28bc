package connection

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// Env is the environment in which a worker finds the broker. A password comes by reference, so that it
// stands in no pod; in place only where the ScalerConfig has it in place. sc may be nil.
func (s Spec) Env(sc *v1alpha1.ScalerConfig) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: contract.EnvBroker, Value: s.Type},
		{Name: contract.EnvBrokerAddress, Value: s.Address()},
	}
	add := func(present bool, v corev1.EnvVar) {
		if present {
			env = append(env, v)
		}
	}
	add(s.Username != "", corev1.EnvVar{Name: contract.EnvBrokerUsername, Value: s.Username})
	literal := s.literalPassword(sc)
	add(literal != "", corev1.EnvVar{Name: contract.EnvBrokerPassword, Value: literal})
	add(s.Password.Secret != KeyRef{}, fromSecret(contract.EnvBrokerPassword, s.Password.Secret))
	add(s.Database != 0, corev1.EnvVar{Name: contract.EnvBrokerDatabase, Value: strconv.Itoa(int(s.Database))})
	add(s.TLS.Enabled, corev1.EnvVar{Name: contract.EnvBrokerTLS, Value: "true"})
	add(s.TLS.ServerName != "", corev1.EnvVar{Name: contract.EnvBrokerTLSServerName, Value: s.TLS.ServerName})
	add(s.TLS.InsecureSkipVerify, corev1.EnvVar{Name: contract.EnvBrokerTLSInsecure, Value: "true"})
	add(s.TLS.CA != KeyRef{}, fromSecret(contract.EnvBrokerTLSCA, s.TLS.CA))
	return env
}

// literalPassword is the password that stands in the ScalerConfig, if the connection uses one.
func (s Spec) literalPassword(sc *v1alpha1.ScalerConfig) string {
	if !s.Password.Literal || sc == nil || sc.Spec.Config.Password == nil || sc.Spec.Config.Password.Value == nil {
		return ""
	}
	return *sc.Spec.Config.Password.Value
}

// fromSecret takes a variable from a Secret. A $ in it is not expanded by Kubernetes, unlike in a value.
func fromSecret(name string, ref KeyRef) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name}, Key: ref.Key,
	}}}
}
