package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files below the state directory. They are kept, so that a kubeconfig and a token stay valid over a restart.
const (
	keysDir           = "keys"
	caCert            = "ca.crt"
	servingCert       = "serving.crt"
	servingKey        = "serving.key"
	kubeletClientCert = "kubelet-client.crt"
	kubeletClientKey  = "kubelet-client.key"
	serviceAccountKey = "service-account.key"
	tokenFile         = "tokens.csv"
)

// validity is that of the certificates: longer than anybody keeps a local control plane.
const validity = 10 * 365 * 24 * time.Hour

// keys are what clients need.
type keys struct {
	ca    []byte // PEM
	token string // the administrator's
}

// loadKeys reads the keys of the state directory, or makes them. ECDSA, because making RSA keys takes a
// noticeable part of a second.
func loadKeys(stateDir string) (keys, error) {
	dir := filepath.Join(stateDir, keysDir)
	k, err := readKeys(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeKeys(dir); err != nil {
			return keys{}, fmt.Errorf("making keys, %w", err)
		}
		k, err = readKeys(dir)
	}
	return k, err
}

func readKeys(dir string) (keys, error) {
	tokens, err := os.ReadFile(filepath.Join(dir, tokenFile)) // written last
	if err != nil {
		return keys{}, err
	}
	token, _, _ := strings.Cut(string(tokens), ",")
	ca, err := os.ReadFile(filepath.Join(dir, caCert))
	return keys{ca: ca, token: token}, err
}

func makeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	authority := template("qscaler local mode")
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	authorityKey, err := newKey()
	if err != nil {
		return err
	}
	ca, err := sign(authority, authority, authorityKey, authorityKey)
	if err != nil {
		return err
	}
	serving := template("kube-apiserver")
	serving.KeyUsage = x509.KeyUsageDigitalSignature
	serving.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serving.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	serving.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	key, err := newKey()
	if err != nil {
		return err
	}
	cert, err := sign(serving, authority, key, authorityKey)
	if err != nil {
		return err
	}
	caller := template("kube-apiserver-kubelet-client")
	caller.KeyUsage = x509.KeyUsageDigitalSignature
	caller.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	callerKey, err := newKey()
	if err != nil {
		return err
	}
	callerCert, err := sign(caller, authority, callerKey, authorityKey)
	if err != nil {
		return err
	}
	accounts, err := newKey()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{caCert, ca},
		{servingCert, cert},
		{servingKey, encode(key)},
		{kubeletClientCert, callerCert},
		{kubeletClientKey, encode(callerKey)},
		{serviceAccountKey, encode(accounts)},
		{tokenFile, []byte(rand.Text() + ",admin,admin,system:masters\n")},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), // a clock may be set back
		NotAfter:     time.Now().Add(validity),
	}
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

func encode(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err) // only for a curve that x509 does not know, and ours is fixed
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}
