package v1alpha1_test

const smallNATSConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: nats
spec:
  type: nats
  config:
    host: nats
    username: app
    password: {secret: {name: s, key: k}}
    nats: {login: Password}
`

var natsConfigCases = map[string]validationCase{
	"the least":                {path: "spec.config", value: `{host: nats}`},
	"a token":                  {path: "spec.config", value: `{host: nats, password: {value: hush}}`},
	"an NKey":                  {path: "spec.config", value: `{host: nats, password: {secret: {name: s, key: k}}, nats: {login: NKey}}`},
	"credentials":              {path: "spec.config", value: `{host: nats, password: {secret: {name: s, key: k}}, nats: {login: Credentials}}`},
	"credentials in place":     {path: "spec.config", value: `{host: nats, password: {value: hush}, nats: {login: Credentials}}`, want: natsKeys},
	"an NKey without a seed":   {path: "spec.config", value: `{host: nats, nats: {login: NKey}}`, want: natsKeys},
	"an NKey with a user":      {path: "spec.config", value: `{host: nats, username: u, password: {secret: {name: s, key: k}}, nats: {login: NKey}}`, want: natsKeys},
	"a user without password":  {path: "spec.config", value: `{host: nats, username: u}`, want: `spec.config: Invalid value: config.username has no password; with the type nats a user has one`},
	"a database":               {path: "spec.config.database", value: `1`, want: `spec.config: Invalid value: nats has no databases; with this type, config takes host, port, username, password, worker, tls and nats`},
	"a login that there isn't": {path: "spec.config.nats", value: `{login: Kerberos}`, want: `spec.config.nats.login: Unsupported value: "Kerberos": supported values: "Password", "NKey", "Credentials"`},
	"a domain":                 {path: "spec.config.nats", value: `{domain: hub}`},
	"a domain with a dot":      {path: "spec.config.nats", value: `{domain: a.b}`, want: `spec.config.nats.domain: Invalid value: "a.b": spec.config.nats.domain in body should match '^[^\s.*>]+$'`},
	"a prefix":                 {path: "spec.config.nats", value: `{apiPrefix: app.js, inboxPrefix: _INBOX_qscaler, handshakeFirst: true}`},
	"a prefix with a wildcard": {path: "spec.config.nats", value: `{apiPrefix: "app.>"}`, want: `spec.config.nats.apiPrefix: Invalid value: "app.>": spec.config.nats.apiPrefix in body should match '^[^\s.*>]+(\.[^\s.*>]+)*$'`},
	"a domain and a prefix":    {path: "spec.config.nats", value: `{domain: hub, apiPrefix: app}`, want: `spec.config.nats: Invalid value: nats takes a domain or an apiPrefix, which stands in its place; remove one`},
	"the block of another":     {path: "spec.type", value: `redis`, want: `spec.config: Invalid value: the block config.nats belongs to the type nats; remove it, or correct the type`},
}

const natsKeys = `spec.config: Invalid value: with nats.login NKey or Credentials, password must have a secret, and username must be absent: the key says who it is`
