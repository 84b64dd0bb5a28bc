// Package connection turns a ScalerConfig and its Secret into a broker connection, and into the environment
// in which a worker finds the same broker.
//
// It may import the API types and internal/broker. It opens no connection.
package connection

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// Spec is a connection in its normal form: what a revision stores of a ScalerConfig. Two Specs are equal
// when a worker would be connected alike: "6379" is 6379, and of a password only its reference counts.
// Whether the operator reclaims tasks is no part of it, because it changes no worker.
type Spec struct {
	Name     string      `json:"name"`
	Type     string      `json:"type"`
	Host     string      `json:"host"`
	Port     int32       `json:"port"`
	Username string      `json:"username,omitempty"`
	Database int32       `json:"database,omitempty"`
	Password PasswordRef `json:"password,omitzero"`
	Worker   WorkerRef   `json:"worker,omitzero"`
	TLS      TLSRef      `json:"tls,omitzero"`
	// Own is the block of the broker's own settings, as JSON.
	Own string `json:"own,omitempty"`
	// OwnPassword is where the password comes from that is in the block, and not in Own.
	OwnPassword PasswordRef `json:"ownPassword,omitzero"`
	// CredentialsFile is the name of the file in which a worker finds its password, where its client wants one.
	CredentialsFile string `json:"credentialsFile,omitempty"`
}

// PasswordRef says where a password comes from, never what it is. The zero PasswordRef is no password.
type PasswordRef struct {
	// Literal is true when the ScalerConfig has the password in place.
	Literal bool   `json:"literal,omitempty"`
	Secret  KeyRef `json:"secret,omitzero"`
}

// WorkerRef is what workers log in with. The zero WorkerRef means that they do as the operator does.
type WorkerRef struct {
	Own      bool        `json:"own,omitempty"`
	Username string      `json:"username,omitempty"`
	Password PasswordRef `json:"password,omitzero"`
}

// KeyRef is a key of a Secret.
type KeyRef struct {
	Name string `json:"name,omitempty"`
	Key  string `json:"key,omitempty"`
}

// TLSRef says how the broker's certificate is verified. The zero TLSRef is plain TCP.
type TLSRef struct {
	Enabled    bool   `json:"enabled,omitempty"`
	ServerName string `json:"serverName,omitempty"`
	CA         KeyRef `json:"ca,omitzero"`
	// ClientCert is the name of a Secret of the type kubernetes.io/tls.
	ClientCert         string `json:"clientCert,omitempty"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"`
}

// Normalise is the normal form of a ScalerConfig's connection. Of a type that no kind has, it has no usual port; such
// a connection cannot be made.
func Normalise(kinds broker.Kinds, sc *v1alpha1.ScalerConfig) Spec {
	c := sc.Spec.Config
	kind, _ := kinds.Of(string(sc.Spec.Type))
	spec := Spec{
		Name: sc.Name, Type: string(sc.Spec.Type),
		Host: c.Host, Port: kind.Port, Username: c.Username, Database: c.Database,
		Own: ownBlock(withoutOwnPassword(c), string(sc.Spec.Type)),
	}
	switch {
	case c.Port != nil:
		spec.Port = int32(c.Port.IntValue())
	case kind.PortOf != nil:
		spec.Port = cmp.Or(kind.PortOf(spec.settings()), spec.Port)
	}
	spec.Password = passwordRef(c.Password)
	spec.OwnPassword = passwordRef(ownPasswordOf(c))
	if w := c.Worker; w != nil {
		spec.Worker = WorkerRef{Own: true, Username: w.Username, Password: passwordRef(w.Password)}
	}
	if t := c.TLS; t != nil {
		spec.TLS = TLSRef{
			Enabled: true, ServerName: t.ServerName, CA: keyRef(t.CASecret), InsecureSkipVerify: t.InsecureSkipVerify,
		}
		if t.ClientCertSecret != nil {
			spec.TLS.ClientCert = t.ClientCertSecret.Name
		}
	}
	if kind.CredentialsFile != nil && (spec.login().Password.Secret != KeyRef{}) {
		spec.CredentialsFile = kind.CredentialsFile(spec.settings())
	}
	return spec
}

// ownPasswordField is the password that is in the block of a broker's own settings.
const ownPasswordField = "config.redis.sentinel.password"

// ownPasswordOf is that password, nil where there is none.
func ownPasswordOf(c v1alpha1.BrokerConfig) *v1alpha1.PasswordSource {
	if c.Redis == nil || c.Redis.Sentinel == nil {
		return nil
	}
	return c.Redis.Sentinel.Password
}

// withoutOwnPassword is the configuration without that password: a revision keeps where it comes from, and never what it
// is.
func withoutOwnPassword(c v1alpha1.BrokerConfig) v1alpha1.BrokerConfig {
	if ownPasswordOf(c) == nil {
		return c
	}
	without := c.DeepCopy()
	without.Redis.Sentinel.Password = nil
	return *without
}

// ownBlock is the block of a configuration that has the name of the broker's type, "" where there is none. A new
// type's block is found without a word of it here.
func ownBlock(config any, kind string) string {
	text, err := json.Marshal(config)
	if err != nil {
		return "" // the API types can be encoded
	}
	var blocks map[string]json.RawMessage
	if err := json.Unmarshal(text, &blocks); err != nil {
		return ""
	}
	return string(blocks[kind])
}

// settings is what the connection says to its kind of broker, without what it refers to.
func (s Spec) settings() broker.Settings {
	return broker.Settings{
		Host: s.Host, Port: s.Port, Username: s.Username, Database: s.Database, Own: json.RawMessage(s.Own),
	}
}

func passwordRef(p *v1alpha1.PasswordSource) PasswordRef {
	if p == nil {
		return PasswordRef{}
	}
	return PasswordRef{Literal: p.Value != nil, Secret: keyRef(p.Secret)}
}

func keyRef(r *v1alpha1.SecretKeyReference) KeyRef {
	if r == nil {
		return KeyRef{}
	}
	return KeyRef{Name: r.Name, Key: r.Key}
}

// Address is host:port; an IPv6 host is in brackets.
func (s Spec) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

// ID names the connection among those of all namespaces: equal connections of one namespace have one ID.
func ID(namespace string, s Spec) string { return fmt.Sprintf("%s/%s/%+v", namespace, s.Name, s) }
