package connection

import (
	"crypto/tls"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/contract"
)

// Env is the environment in which a worker finds the broker. A password comes by reference, so that it
// stands in no pod; in place only where the ScalerConfig has it in place. sc may be nil.
func (r *Resolver) Env(s Spec, sc *v1alpha1.ScalerConfig) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: contract.EnvBroker, Value: s.Type},
		{Name: contract.EnvBrokerAddress, Value: s.Address()},
	}
	add := func(present bool, v corev1.EnvVar) {
		if present {
			env = append(env, v)
		}
	}
	login := s.login()
	add(login.Username != "", corev1.EnvVar{Name: contract.EnvBrokerUsername, Value: login.Username})
	literal := s.literalOfWorker(sc)
	file := func(name string) string { return contract.BrokerDirectory + "/" + name }
	addFrom := func(name, literal string, secret KeyRef) {
		add(literal != "", corev1.EnvVar{Name: name, Value: literal})
		add(secret != KeyRef{}, fromSecret(name, secret))
	}
	addPassword := func(name string) { addFrom(name, literal, login.Password.Secret) }
	if s.CredentialsFile != "" {
		add(true, corev1.EnvVar{Name: contract.EnvBrokerCredentialsFile, Value: file(s.CredentialsFile)})
	} else {
		addPassword(contract.EnvBrokerPassword)
	}
	if own := r.Kind(s).Env; own != nil {
		for _, v := range own(s.settingsOfWorker()) {
			switch {
			case v.Password:
				addPassword(v.Name)
			case v.OwnPassword:
				addFrom(v.Name, s.literalOwnPassword(sc), s.OwnPassword.Secret)
			default:
				env = append(env, corev1.EnvVar{Name: v.Name, Value: v.Value})
			}
		}
	}
	add(s.TLS.Enabled, corev1.EnvVar{Name: contract.EnvBrokerTLS, Value: "true"})
	add(s.TLS.ServerName != "", corev1.EnvVar{Name: contract.EnvBrokerTLSServerName, Value: s.TLS.ServerName})
	add(s.TLS.InsecureSkipVerify, corev1.EnvVar{Name: contract.EnvBrokerTLSInsecure, Value: "true"})
	add(s.TLS.CA != KeyRef{}, corev1.EnvVar{Name: contract.EnvBrokerTLSCAFile, Value: file(contract.BrokerCAFile)})
	add(s.TLS.ClientCert != "", corev1.EnvVar{Name: contract.EnvBrokerTLSCertFile, Value: file(contract.BrokerCertFile)})
	add(s.TLS.ClientCert != "", corev1.EnvVar{Name: contract.EnvBrokerTLSKeyFile, Value: file(contract.BrokerKeyFile)})
	return env
}

// settingsOfWorker is what a kind makes variables of.
func (s Spec) settingsOfWorker() broker.Settings {
	settings := s.settings()
	settings.Username = s.login().Username
	if s.TLS.Enabled {
		settings.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.TLS.ServerName, InsecureSkipVerify: s.TLS.InsecureSkipVerify}
	}
	if (s.TLS.CA != KeyRef{}) {
		settings.CA = contract.BrokerDirectory + "/" + contract.BrokerCAFile
	}
	return settings
}

// Files are what a worker's directory of the broker is made from; none where it needs no file. Authorities come in a
// file, because a bundle of them can be longer than a variable may be.
func (s Spec) Files() []corev1.VolumeProjection {
	var files []corev1.VolumeProjection
	if s.CredentialsFile != "" {
		ref := s.login().Password.Secret
		files = append(files, secretFiles(ref.Name, corev1.KeyToPath{Key: ref.Key, Path: s.CredentialsFile}))
	}
	if (s.TLS.CA != KeyRef{}) {
		files = append(files, secretFiles(s.TLS.CA.Name, corev1.KeyToPath{Key: s.TLS.CA.Key, Path: contract.BrokerCAFile}))
	}
	if s.TLS.ClientCert != "" {
		files = append(files, secretFiles(s.TLS.ClientCert,
			corev1.KeyToPath{Key: corev1.TLSCertKey, Path: contract.BrokerCertFile},
			corev1.KeyToPath{Key: corev1.TLSPrivateKeyKey, Path: contract.BrokerKeyFile}))
	}
	return files
}

func secretFiles(secret string, files ...corev1.KeyToPath) corev1.VolumeProjection {
	return corev1.VolumeProjection{Secret: &corev1.SecretProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Items: files,
	}}
}

// login is what workers log in with.
func (s Spec) login() WorkerRef {
	if s.Worker.Own {
		return s.Worker
	}
	return WorkerRef{Username: s.Username, Password: s.Password}
}

// NeedsScalerConfig reports whether a password of the workers stands in the ScalerConfig: without it no worker can be made.
func (s Spec) NeedsScalerConfig() bool { return s.login().Password.Literal || s.OwnPassword.Literal }

// literalOfWorker is the workers' password that stands in the ScalerConfig, "" where it does not.
func (s Spec) literalOfWorker(sc *v1alpha1.ScalerConfig) string {
	switch {
	case !s.Worker.Own:
		return s.literalPassword(sc)
	case !s.Worker.Password.Literal || sc == nil || sc.Spec.Config.Worker == nil:
		return ""
	}
	return inPlace(sc.Spec.Config.Worker.Password)
}

// literalPassword is the operator's password that stands in the ScalerConfig, "" where it does not.
func (s Spec) literalPassword(sc *v1alpha1.ScalerConfig) string {
	if !s.Password.Literal || sc == nil {
		return ""
	}
	return inPlace(sc.Spec.Config.Password)
}

// literalOwnPassword is the password of the broker's own block that stands in the ScalerConfig, "" where it does not.
func (s Spec) literalOwnPassword(sc *v1alpha1.ScalerConfig) string {
	if !s.OwnPassword.Literal || sc == nil {
		return ""
	}
	return inPlace(ownPasswordOf(sc.Spec.Config))
}

func inPlace(p *v1alpha1.PasswordSource) string {
	if p == nil || p.Value == nil {
		return ""
	}
	return *p.Value
}

// fromSecret takes a variable from a Secret. A $ in it is not expanded by Kubernetes, unlike in a value.
func fromSecret(name string, ref KeyRef) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: ref.Name}, Key: ref.Key,
	}}}
}
