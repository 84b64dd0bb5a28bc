package nats

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/quickube/qscaler/internal/broker"
)

// The ways to log in, as config.nats.login says them.
const (
	loginPassword    = "Password"
	loginNKey        = "NKey"
	loginCredentials = "Credentials"
)

// Login is what the operator logs in with. The zero Login is nobody in particular.
type Login struct {
	// Way is one of the ways to log in, which says what Secret is.
	Way      string
	Username string
	// Secret is a password, or without a username a token; the seed of an NKey; or the text of a file of credentials.
	Secret broker.Secret
}

func (l Login) equal(o Login) bool {
	return l.Way == o.Way && l.Username == o.Username && l.Secret.Equal(o.Secret)
}

// trims reports whether a newline at the end of the secret is no part of it.
func (l Login) trims() bool { return l.Way == loginNKey || l.Way == loginCredentials }

// login says what is wrong with a key or credentials that are none, and never repeats them.
func login(way, username string, secret broker.Secret) (Login, error) {
	l := Login{Way: way, Username: username, Secret: secret}
	if way == "" {
		l.Way = loginPassword
	}
	switch l.Way {
	case loginPassword:
		if username != "" && secret.Empty() {
			return l, errors.New("config.username has no password; set config.password")
		}
		return l, nil
	case loginNKey, loginCredentials:
		if username != "" {
			return l, fmt.Errorf("config.username is for a password; with config.nats.login %s, the key says who it is; remove config.username", l.Way)
		}
		_, err := l.options()
		return l, err
	}
	return l, fmt.Errorf("config.nats.login is %q; it must be %s, %s or %s", broker.Words(way, broker.Secret{}), loginPassword, loginNKey, loginCredentials)
}

// options are the client's, for this login.
func (l Login) options() (nats.Option, error) {
	text := l.Secret.Reveal()
	switch l.Way {
	case loginNKey:
		return nkey(text)
	case loginCredentials:
		return credentials(text)
	}
	if l.Username != "" {
		return nats.UserInfo(l.Username, text), nil
	}
	return nats.Token(text), nil
}

func nkey(seed string) (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(seed)))
	if err != nil {
		return nil, errors.New("config.password is no seed of an NKey, which config.nats.login says; a user's seed begins with SU")
	}
	public, err := pair.PublicKey()
	if err != nil || !nkeys.IsValidPublicUserKey(public) {
		return nil, errors.New("config.password is the seed of an NKey of an account, an operator or a server, and not of a user; a user's seed begins with SU")
	}
	return nats.Nkey(public, pair.Sign), nil
}

func credentials(file string) (nats.Option, error) {
	jwt, err := nkeys.ParseDecoratedJWT([]byte(file))
	if err != nil || strings.Count(jwt, ".") != 2 {
		return nil, errors.New("config.password has no user's JWT, as the file of credentials has that config.nats.login says; nsc generate creds makes one")
	}
	pair, err := nkeys.ParseDecoratedUserNKey([]byte(file))
	if err != nil {
		return nil, errors.New("config.password has no user's seed, as the file of credentials has that config.nats.login says; nsc generate creds makes one")
	}
	return nats.UserJWT(func() (string, error) { return jwt, nil }, pair.Sign), nil
}
