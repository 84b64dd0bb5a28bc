package nats

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/natsserver/natsservertest"
)

// identity is a key of NATS: an operator, an account or a user.
type identity struct {
	pair         nkeys.KeyPair
	public, seed string
}

func newIdentity(t testing.TB, create func() (nkeys.KeyPair, error)) identity {
	t.Helper()
	pair, err := create()
	must(t, err)
	public, err := pair.PublicKey()
	must(t, err)
	seed, err := pair.Seed()
	must(t, err)
	return identity{pair, public, string(seed)}
}

// token signs a JWT as nsc does.
func (i identity) token(t testing.TB, subject identity, name string, claims map[string]any, expires time.Time) string {
	t.Helper()
	encode := func(v any) string {
		text, err := json.Marshal(v)
		must(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	claims["version"] = 2
	payload := map[string]any{"jti": name, "iat": time.Now().Add(-time.Minute).Unix(), "iss": i.public, "name": name, "sub": subject.public, "nats": claims}
	if !expires.IsZero() {
		payload["exp"] = expires.Unix()
	}
	text := encode(map[string]any{"typ": "JWT", "alg": "ed25519-nkey"}) + "." + encode(payload)
	signature, err := i.pair.Sign([]byte(text))
	must(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// credentialsOf is the text of a file of credentials.
func credentialsOf(jwt, seed string) string {
	return fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", jwt, seed)
}

func settingsOf(way, username, secret string) func(*broker.Settings) {
	return func(s *broker.Settings) {
		s.Username, s.Password = username, broker.NewSecret(secret)
		if way != "" {
			s.Own = json.RawMessage(fmt.Sprintf(`{"login": %q}`, way))
		}
	}
}

// Each way to log in, and its refusal.
func TestLogins(t *testing.T) {
	user, stranger := newIdentity(t, nkeys.CreateUser), newIdentity(t, nkeys.CreateUser)
	s := natsservertest.Start(t, fmt.Sprintf(`authorization {users: [{user: "app:1", password: "p@ss word"}, {nkey: %s}]}`, user.public))
	for name, c := range map[string]struct {
		shape  func(*broker.Settings)
		reason broker.Reason
	}{
		"a user":              {settingsOf("", "app:1", "p@ss word"), ""},
		"a wrong password":    {settingsOf("", "app:1", "another"), broker.ReasonAuthenticationFailed},
		"a wrong user":        {settingsOf(loginPassword, "other", "p@ss word"), broker.ReasonAuthenticationFailed},
		"a token for a user":  {settingsOf("", "", "p@ss word"), broker.ReasonAuthenticationFailed},
		"an NKey":             {settingsOf(loginNKey, "", user.seed+"\n"), ""},
		"an NKey of another":  {settingsOf(loginNKey, "", stranger.seed), broker.ReasonAuthenticationFailed},
		"nobody":              {nil, broker.ReasonAuthenticationFailed},
		"credentials of none": {settingsOf(loginCredentials, "", credentialsOf("a.b.c", stranger.seed)), broker.ReasonAuthenticationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := tryConnect(t, s, c.shape, nil)
			if c.reason != "" {
				expectFailure(t, name, err, c.reason, "the server refuses the login")
				return
			}
			must(t, err)
			defer d.Close()
			expectFailure(t, name, ask(t, d, "q/w")[0].Err, broker.ReasonQueueNotFound, "no such stream")
		})
	}
}

// Credentials of an account that an operator has made, and how they end.
func TestCredentials(t *testing.T) {
	operator, account, user := newIdentity(t, nkeys.CreateOperator), newIdentity(t, nkeys.CreateAccount), newIdentity(t, nkeys.CreateUser)
	system := newIdentity(t, nkeys.CreateAccount)
	limits := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
		"mem_storage": 1 << 30, "disk_storage": 1 << 30, "streams": -1, "consumer": -1}
	ofAccount := operator.token(t, account, "app", map[string]any{"type": "account", "limits": limits}, time.Time{})
	ofSystem := operator.token(t, system, "SYS", map[string]any{"type": "account", "limits": map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1}}, time.Time{})
	s := natsservertest.Start(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {%s: %s, %s: %s}",
		operator.token(t, operator, "op", map[string]any{"type": "operator"}, time.Time{}), system.public, account.public, ofAccount, system.public, ofSystem))
	of := func(expires time.Time) func(*broker.Settings) {
		jwt := account.token(t, user, "operator", map[string]any{"type": "user", "subs": -1, "data": -1, "payload": -1}, expires)
		return settingsOf(loginCredentials, "", credentialsOf(jwt, user.seed))
	}
	d := connected(t, s, of(time.Time{}), nil)
	expectFailure(t, "credentials", ask(t, d, "q/w")[0].Err, broker.ReasonQueueNotFound, "no such stream")
	_, err := tryConnect(t, s, of(time.Now().Add(-time.Minute)), nil)
	expectFailure(t, "expired credentials", err, broker.ReasonAuthenticationFailed, "the server refuses the login")
	expiring := connected(t, s, of(time.Now().Add(2*time.Second)), nil)
	for limit := time.Now().Add(30 * time.Second); ; {
		if _, err = expiring.Depths(t.Context(), nil); err != nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("credentials that have expired are still good")
		}
		<-time.After(50 * time.Millisecond)
	}
	expectFailure(t, "credentials that expire", err, broker.ReasonAuthenticationFailed, "xpired")
}

// What is no login is refused before a server is asked, and never repeated.
func TestWrongSettings(t *testing.T) {
	account := newIdentity(t, nkeys.CreateAccount)
	user := newIdentity(t, nkeys.CreateUser)
	for name, c := range map[string]struct {
		own, username, secret, says string
	}{
		"a user without a password":         {``, "u", "", "config.username has no password"},
		"a way that there is not":           {`{"login": "Kerberos"}`, "", "s3cret", `config.nats.login is "Kerberos"; it must be Password, NKey or Credentials`},
		"a seed that is none":               {`{"login": "NKey"}`, "", "s3cret", "no seed of an NKey"},
		"a seed of an account":              {`{"login": "NKey"}`, "", account.seed, "not of a user"},
		"a seed with a user":                {`{"login": "NKey"}`, "u", user.seed, "remove config.username"},
		"credentials that are none":         {`{"login": "Credentials"}`, "", "s3cret", "no user's JWT"},
		"credentials without a seed":        {`{"login": "Credentials"}`, "", "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n", "no user's seed"},
		"an unknown field":                  {`{"stream": "x"}`, "", "", "reading config.nats, "},
		"a domain with a wildcard":          {`{"domain": "a*"}`, "", "", "words with dots"},
		"a domain and a prefix":             {`{"domain": "a", "apiPrefix": "b"}`, "", "", "remove one"},
		"an inbox with a space":             {`{"inboxPrefix": "a b"}`, "", "", "words with dots"},
		"an inbox that ends in a dot":       {`{"inboxPrefix": "a."}`, "", "", "words with dots"},
		"a prefix of the API that is empty": {`{"apiPrefix": "a..b"}`, "", "", "words with dots"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(broker.Settings{Host: "h", Port: 4222, Username: c.username, Password: broker.NewSecret(c.secret), Own: json.RawMessage(c.own)})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if c.secret != "" && strings.Contains(fmt.Sprint(err), c.secret) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

// Every setting of the block makes another configuration.
func TestSettingsThatDiffer(t *testing.T) {
	of := func(own string) broker.Config {
		config, err := parse(broker.Settings{Host: "h", Port: 4222, Own: json.RawMessage(own)})
		must(t, err)
		return config
	}
	plain := of("")
	for _, own := range []string{`{"domain": "hub"}`, `{"apiPrefix": "app.js"}`, `{"inboxPrefix": "_IN"}`, `{"handshakeFirst": true}`} {
		if plain.Equal(of(own)) || !of(own).Equal(of(own)) {
			t.Errorf("%s makes no configuration of its own", own)
		}
	}
	if plain.Equal(nil) || !plain.Equal(of(`{"login": "Password"}`)) {
		t.Error("a configuration is equal to what means the same, and to no other")
	}
}

// The URL of a worker has the address and the scheme, and no password.
func TestEnv(t *testing.T) {
	s := broker.Settings{Host: "::1", Port: 4222, Username: "u", Password: broker.NewSecret("s3cret")}
	if got := env(s); len(got) != 1 || got[0] != (broker.Variable{Name: "QSCALER_BROKER_URL", Value: "nats://[::1]:4222"}) {
		t.Errorf("%v", got)
	}
}
