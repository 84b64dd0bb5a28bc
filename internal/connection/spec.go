// Package connection turns a ScalerConfig and its Secret into a broker connection, and into the environment
// in which a worker finds the same broker.
//
// It may import the API types and internal/broker. It opens no connection.
package connection

import (
	"fmt"
	"net"
	"strconv"

	"github.com/quickube/qscaler/api/v1alpha1"
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
	TLS      TLSRef      `json:"tls,omitzero"`
}

// PasswordRef says where a password comes from, never what it is. The zero PasswordRef is no password.
type PasswordRef struct {
	// Literal is true when the ScalerConfig has the password in place.
	Literal bool   `json:"literal,omitempty"`
	Secret  KeyRef `json:"secret,omitzero"`
}

// KeyRef is a key of a Secret.
type KeyRef struct {
	Name string `json:"name,omitempty"`
	Key  string `json:"key,omitempty"`
}

// TLSRef says how the broker's certificate is verified. The zero TLSRef is plain TCP.
type TLSRef struct {
	Enabled            bool   `json:"enabled,omitempty"`
	ServerName         string `json:"serverName,omitempty"`
	CA                 KeyRef `json:"ca,omitzero"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"`
}

const defaultRedisPort = 6379

// Normalise is the normal form of a ScalerConfig's connection.
func Normalise(sc *v1alpha1.ScalerConfig) Spec {
	c := sc.Spec.Config
	spec := Spec{
		Name: sc.Name, Type: string(sc.Spec.Type),
		Host: c.Host, Port: defaultRedisPort, Username: c.Username, Database: c.Database,
	}
	if c.Port != nil {
		spec.Port = int32(c.Port.IntValue())
	}
	if p := c.Password; p != nil {
		spec.Password = PasswordRef{Literal: p.Value != nil, Secret: keyRef(p.Secret)}
	}
	if t := c.TLS; t != nil {
		spec.TLS = TLSRef{
			Enabled: true, ServerName: t.ServerName, CA: keyRef(t.CASecret), InsecureSkipVerify: t.InsecureSkipVerify,
		}
	}
	return spec
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
