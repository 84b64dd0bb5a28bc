package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// options are what the environment says beside the URL. What it does not understand is an error: the password must not be
// sent in the clear instead.
func options() ([]nats.Option, error) {
	username, password := os.Getenv("QSCALER_BROKER_USERNAME"), os.Getenv("QSCALER_BROKER_PASSWORD")
	o := []nats.Option{nats.Name(cmp.Or(os.Getenv("POD_NAME"), "worker")), nats.NoReconnect(), nats.Timeout(answerWithin)}
	switch file := os.Getenv("QSCALER_BROKER_CREDENTIALS_FILE"); {
	case file != "":
		o = append(o, nats.UserCredentials(file))
	case username != "":
		o = append(o, nats.UserInfo(username, password))
	case strings.HasPrefix(password, "SU"): // a token should not begin like the seed of a user
		key, err := nkey(password)
		if err != nil {
			return nil, err
		}
		o = append(o, key)
	case password != "":
		o = append(o, nats.Token(password))
	}
	secure, err := tlsConfig()
	if err == nil && secure != nil {
		o = append(o, nats.Secure(secure))
	}
	return o, err
}

// nkey logs in with the seed of a user's key.
func nkey(seed string) (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(strings.TrimSpace(seed)))
	if err != nil {
		return nil, fmt.Errorf("QSCALER_BROKER_PASSWORD is no seed of a user, %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("QSCALER_BROKER_PASSWORD is no seed of a user, %w", err)
	}
	return nats.Nkey(public, pair.Sign), nil
}
