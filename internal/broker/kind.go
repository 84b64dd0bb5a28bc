package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Kind is one kind of broker: all that QScaler knows of it. There is one list of kinds, in the package kinds.
type Kind struct {
	// Type is what spec.type of a ScalerConfig says, such as "redis".
	Type string
	// Port is the one that a ScalerConfig without a port means.
	Port int32
	// PortOf is the port that settings without one mean, 0 for Port. It may be nil.
	PortOf func(Settings) int32
	// MorePorts are others that its servers usually have, and that the operator may be told to reach.
	MorePorts []int32
	// Parse makes a configuration of settings, or says what is wrong with them.
	Parse func(Settings) (Config, error)
	// Open connects to the broker of a configuration that Parse has made. It rings when a queue may have changed,
	// if the driver is a Pusher.
	Open func(context.Context, Config, Doorbell) (Driver, error)
	// Env has what a worker must know to find the broker, beside the address, the credentials and TLS, which every
	// worker is given. It may be nil. The settings are the worker's: the user is its own, there is no password, and
	// CA is the path of a file. TLS says whether there is any, and how it is verified.
	Env func(Settings) []Variable
	// CredentialsFile is the name of the file in which a worker finds what it logs in with, for settings with which its
	// client wants a file and no password; "" for others. It may be nil. The file is made of the password's Secret.
	CredentialsFile func(Settings) string
	// TrimsPassword reports whether a newline at the end of the password is no part of it, for settings. It may be nil.
	TrimsPassword func(Settings) bool
	// Cadence says how often it is read.
	Cadence Cadence
}

// Settings is what a ScalerConfig says of a broker, with what it refers to.
type Settings struct {
	Host     string
	Port     int32
	Username string
	Password Secret
	// Database is the number of the database, where the broker has those.
	Database int32
	// TLS is nil for plain TCP. CA has the PEM certificates of its authorities, where those are not the system's.
	TLS *tls.Config
	CA  string
	// ServerName is the name that each certificate is to have, "" for that of the host which was dialled.
	ServerName string
	// Own is the block of the broker's own settings, as JSON, without passwords; empty without one. OwnPassword is the
	// password that is in it.
	Own         json.RawMessage
	OwnPassword Secret
	// Allows reports whether a host may be dialled that the broker itself names; nil allows all.
	Allows func(host string) bool
}

// Config is how to reach one broker, in the words of its kind.
type Config interface {
	// Equal reports whether the other is the same broker, reached with the same credentials.
	Equal(other Config) bool
}

// SharedConfig is a Config of a broker whose keys can be searched once for all who reach it.
type SharedConfig interface {
	Config
	// Server names what is reached, and how it is made sure that it is that, whoever asks: neither the user nor the
	// password is part of it.
	Server() string
}

// Variable is one of a worker's environment.
type Variable struct {
	Name, Value string
	// Password is true where the value is the worker's password, and OwnPassword where it is that of the broker's own block;
	// there is no such variable where it has none.
	Password, OwnPassword bool
}

// Cadence is how often a broker is read, and how much at a time. What is zero is the backlog's default.
type Cadence struct {
	// Poll is how often a broker is read that does not push.
	Poll time.Duration
	// PollAtZero is how often the queues without a worker are read of a broker that does not push.
	PollAtZero time.Duration
	// Quiet is how often a queue is read that has neither a worker nor a message, of a broker that does not push, by how long
	// that has been so. nil is as often as any other queue without a worker.
	Quiet func(since time.Duration) time.Duration
	// QuietBudget bounds how many such queues are read in a second: where there are more, each is read less often. 0 is
	// no bound.
	QuietBudget int
	// PollBusy is how often the queues with workers are read of a broker that pushes for those without only; 0 where it pushes
	// for all.
	PollBusy time.Duration
	// Safety is how often a broker that pushes is read all the same, because a push can be missed.
	Safety time.Duration
	// Batch is the least time between the starts of two reads.
	Batch time.Duration
	// Budget bounds what one call of Depths costs, so that a large one does not hold up the broker's other clients.
	Budget int
	// Cost is what a query costs of the budget; nil is 1 for each.
	Cost func(Query) int
}

// Kinds are the kinds of brokers that there are.
type Kinds []Kind

// Of is the kind of a type.
func (k Kinds) Of(kind string) (Kind, error) {
	types := make([]string, len(k))
	for i := range k {
		if k[i].Type == kind {
			return k[i], nil
		}
		types[i] = k[i].Type
	}
	return Kind{}, fmt.Errorf("this operator knows no broker of the type %q; it knows %q", kind, types)
}

// Opener makes Kind.Open of a driver's own function, which takes the driver's own configuration.
func Opener[C Config](open func(context.Context, C, Doorbell) (Driver, error)) func(context.Context, Config, Doorbell) (Driver, error) {
	return func(ctx context.Context, config Config, ring Doorbell) (Driver, error) {
		own, ok := config.(C)
		if !ok {
			return nil, fmt.Errorf("a configuration of another kind of broker, %T, cannot be opened as %T", config, own)
		}
		return open(ctx, own, ring)
	}
}

// SameTLS reports whether both verify a server in the same way, and show it the same certificate.
func SameTLS(a, b *tls.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ServerName == b.ServerName && a.InsecureSkipVerify == b.InsecureSkipVerify && a.RootCAs.Equal(b.RootCAs) &&
		slices.EqualFunc(a.Certificates, b.Certificates, sameCertificate)
}

func sameCertificate(a, b tls.Certificate) bool {
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}
