package v1alpha1

// NATSLogin says what config.password is, for the type nats.
// +kubebuilder:validation:Enum=Password;NKey;Credentials
type NATSLogin string

// The ways to log in to NATS.
const (
	// NATSLoginPassword is a password with a username, or a token without one.
	NATSLoginPassword NATSLogin = "Password"
	// NATSLoginNKey is the seed of a user's NKey.
	NATSLoginNKey NATSLogin = "NKey"
	// NATSLoginCredentials is the text of a user's file of credentials (.creds).
	NATSLoginCredentials NATSLogin = "Credentials"
)

// NATSConfig is what only NATS has. A change to it is a new revision, as one to the address is.
// +kubebuilder:validation:XValidation:rule="!has(self.domain) || !has(self.apiPrefix)",message="nats takes a domain or an apiPrefix, which stands in its place; remove one"
type NATSConfig struct {
	// What password is, of the operator and of the workers: Password (with a username; without one it is a token), NKey (the
	// seed of a user) or Credentials (the text of a file of credentials). Default: Password.
	// +optional
	Login NATSLogin `json:"login,omitempty"`

	// JetStream domain in which the streams are, such as "hub". Default: that of the server.
	// +optional
	// +kubebuilder:validation:Pattern=`^[^\s.*>]+$`
	// +kubebuilder:validation:MaxLength=253
	Domain string `json:"domain,omitempty"`

	// Beginning of the subjects of the JetStream API, for an account that imports it from another one under a prefix of its
	// own. Default: "$JS.API".
	// +optional
	// +kubebuilder:validation:Pattern=`^[^\s.*>]+(\.[^\s.*>]+)*$`
	// +kubebuilder:validation:MaxLength=253
	APIPrefix string `json:"apiPrefix,omitempty"`

	// Beginning of the subjects to which the server sends its answers to the operator, for a user that may not subscribe to
	// the default. Default: "_INBOX".
	// +optional
	// +kubebuilder:validation:Pattern=`^[^\s.*>]+(\.[^\s.*>]+)*$`
	// +kubebuilder:validation:MaxLength=253
	InboxPrefix string `json:"inboxPrefix,omitempty"`

	// TLS begins before the server has said a word, as a server with handshake_first wants it. It means nothing without
	// tls. Default: false.
	// +optional
	HandshakeFirst bool `json:"handshakeFirst,omitempty"`
}
