package connection

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// FingerprintKey makes fingerprints that nobody else can make: whoever sees one, on a pod, cannot try passwords until one
// has it. A plain hash would tell a weak password.
type FingerprintKey [32]byte

// NewFingerprintKey returns a key that there has never been.
func NewFingerprintKey() FingerprintKey {
	var key FingerprintKey
	_, _ = rand.Read(key[:]) // it ends the process rather than fail
	return key
}

// of tells one password of a place from any other.
func (key FingerprintKey) of(place printKey, password string) string {
	return key.print(place.namespace, place.scalerConfig, place.secret.Name, place.secret.Key, password)
}

// OfData tells one content of an object from any other, and from that of every other object.
func (key FingerprintKey) OfData(namespace, object string, data map[string][]byte) string {
	words := []string{namespace, object}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		sum := sha256.Sum256(data[name]) // it keeps the words short, and goes into the HMAC
		words = append(words, name, hex.EncodeToString(sum[:]))
	}
	return key.print(words...)
}

// print is the fingerprint of words. It begins with the name of the key.
func (key FingerprintKey) print(words ...string) string {
	return key.mac("", 4) + "-" + key.mac(fmt.Sprintf("%q", words), 8)
}

func (key FingerprintKey) mac(text string, bytes int) string {
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil)[:bytes])
}

// Another reports whether two fingerprints are those of two contents. Where one of them is not known, or they were
// made with different keys, nobody can tell.
func Another(made, present string) bool {
	of, _, _ := strings.Cut(made, "-")
	with, _, _ := strings.Cut(present, "-")
	return of != "" && of == with && made != present
}

// printKey is the place of a password: that of workers with one connection.
type printKey struct {
	namespace, scalerConfig string
	secret                  KeyRef
}

func keyOf(namespace string, s Spec) printKey {
	return printKey{namespace, s.Name, s.login().Password.Secret}
}

// fingerprints has those of the passwords in Secrets, as they were last read. A Secret that could not be read, and never
// was, has "".
type fingerprints struct {
	key FingerprintKey

	mu      sync.Mutex
	known   map[printKey]reading
	reads   int
	changed []func(types.NamespacedName)
}

// reading is what a read of a Secret has told: the read of that number.
type reading struct {
	print string
	read  int
	// newline is true where the password ends in one.
	newline bool
}

func newFingerprints(key FingerprintKey) *fingerprints {
	return &fingerprints{key: key, known: map[printKey]reading{}}
}

func (p *fingerprints) of(k printKey) (mark string, tried bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, tried := p.known[k]
	return last.print, tried
}

// begin is called before a Secret is read. It returns the number of the read.
func (p *fingerprints) begin() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads++
	return p.reads
}

// note takes in what a read has told, without a print where it failed: that changes nothing that is known. Neither does one
// that was begun before the last that told something: it may have seen the password of before.
func (p *fingerprints) note(k printKey, told reading) {
	if told.print == "" {
		told.read = 0
	}
	p.mu.Lock()
	before, tried := p.known[k]
	taken := !tried || (told.print != "" && told.read > before.read)
	if taken {
		p.known[k] = told
	}
	changed := p.changed
	p.mu.Unlock()
	if taken && told.print != "" && told.print != before.print {
		for _, tell := range changed {
			tell(types.NamespacedName{Namespace: k.namespace, Name: k.scalerConfig})
		}
	}
}

// ForgetPasswords drops what is known of the passwords of a ScalerConfig that is gone.
func (r *Resolver) ForgetPasswords(scalerConfig types.NamespacedName) {
	r.prints.mu.Lock()
	defer r.prints.mu.Unlock()
	maps.DeleteFunc(r.prints.known, func(k printKey, _ reading) bool {
		return k.namespace == scalerConfig.Namespace && k.scalerConfig == scalerConfig.Name
	})
}

// OnPasswordChange has f called with the name of a ScalerConfig when its workers' password in a Secret is another than the
// last that was read, or is read for the first time. f must not block.
func (r *Resolver) OnPasswordChange(f func(scalerConfig types.NamespacedName)) {
	r.prints.mu.Lock()
	defer r.prints.mu.Unlock()
	r.prints.changed = append(r.prints.changed, f)
}

// Fingerprint is that of the password that a worker gets now; "" where it gets none, or nobody knows. It asks nobody: a
// Secret is read for each connection to the broker, and every minute. sc may be nil.
func (r *Resolver) Fingerprint(namespace string, s Spec, sc *v1alpha1.ScalerConfig) string {
	if literal := s.literalOfWorker(sc); literal != "" {
		return r.prints.key.of(keyOf(namespace, s), literal)
	}
	mark, _ := r.prints.of(keyOf(namespace, s))
	return mark
}

// Learn reads the workers' password where it was never read: the first pod is often made before the broker is dialled.
// Each Secret is read once for this, whatever comes of it.
func (r *Resolver) Learn(ctx context.Context, namespace string, s Spec) {
	ref := s.login().Password.Secret
	if ref == (KeyRef{}) {
		return
	}
	if _, tried := r.prints.of(keyOf(namespace, s)); !tried {
		_, _ = r.readWorkers(ctx, namespace, s, ref, "config.password.secret")
	}
}

// readWorkersOwn reads the password of workers that have one of their own. The connection does not depend on it.
func (r *Resolver) readWorkersOwn(ctx context.Context, namespace string, s Spec) {
	if ref := s.Worker.Password.Secret; s.Worker.Own && ref != (KeyRef{}) {
		_, _ = r.readWorkers(ctx, namespace, s, ref, "config.worker.password.secret")
	}
}

// readWorkers reads the workers' password and keeps its fingerprint.
func (r *Resolver) readWorkers(ctx context.Context, namespace string, s Spec, ref KeyRef, field string) (string, error) {
	told, place := reading{read: r.prints.begin()}, keyOf(namespace, s)
	password, err := r.secret(ctx, namespace, ref, field)
	if err == nil {
		told.print, told.newline = r.prints.key.of(place, password), broker.NewSecret(password).EndsInNewline()
	}
	r.prints.note(place, told)
	return password, err
}
