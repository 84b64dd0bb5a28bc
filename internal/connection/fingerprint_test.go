package connection

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// passwordStore has the Secrets "ours" and "theirs", and counts how often one is read.
type passwordStore struct {
	client.Client
	reads int
}

func newPasswordStore() *passwordStore {
	s := &passwordStore{}
	secret := func(name string) client.Object {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-of-" + name)},
			Data:       map[string][]byte{"k": []byte("hunter2")},
		}
	}
	s.Client = fake.NewClientBuilder().WithObjects(secret("ours"), secret("theirs")).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			s.reads++
			return c.Get(ctx, key, o, opts...)
		},
	}).Build()
	return s
}

// put changes the Secret.
func (s *passwordStore) put(t *testing.T, name string, change func(*corev1.Secret)) {
	t.Helper()
	var secret corev1.Secret
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, &secret); err != nil {
		t.Fatal(err)
	}
	change(&secret)
	if err := s.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
}

func password(value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Data["k"] = []byte(value) }
}

func TestFingerprint(t *testing.T) {
	shared := config(func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("ours", "k") })
	apart := config(func(c *v1alpha1.BrokerConfig) {
		c.Password, c.Worker = secretRef("ours", "k"), &v1alpha1.WorkerLogin{Password: secretRef("theirs", "k")}
	})
	gone := config(func(c *v1alpha1.BrokerConfig) {
		c.Password, c.Worker = secretRef("ours", "k"), &v1alpha1.WorkerLogin{Password: secretRef("none", "k")}
	})
	cases := map[string]struct {
		config *v1alpha1.ScalerConfig
		change func(*testing.T, *passwordStore)
		known  bool
		other  bool
	}{
		"another password": {shared, func(t *testing.T, s *passwordStore) { s.put(t, "ours", password("new")) }, true, true},
		"another key of the Secret has another value": {shared, func(t *testing.T, s *passwordStore) {
			s.put(t, "ours", func(o *corev1.Secret) { o.Data["other"] = []byte("new") })
		}, true, false},
		"the Secret is deleted": {shared, func(t *testing.T, s *passwordStore) {
			if err := s.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ours"}}); err != nil {
				t.Fatal(err)
			}
		}, true, false},
		"the Secret is made anew with the same password": {shared, func(t *testing.T, s *passwordStore) {
			if err := s.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ours"}}); err != nil {
				t.Fatal(err)
			}
			again := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ours", UID: "another"}, Data: map[string][]byte{"k": []byte("hunter2")}}
			if err := s.Create(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}, true, false},
		"the Secret has another label": {shared, func(t *testing.T, s *passwordStore) {
			s.put(t, "ours", func(o *corev1.Secret) { o.Labels = map[string]string{"a": "b"} })
		}, true, false},
		"the password is removed":                {shared, func(t *testing.T, s *passwordStore) { s.put(t, "ours", password("")) }, true, true},
		"the workers' own is another":            {apart, func(t *testing.T, s *passwordStore) { s.put(t, "theirs", password("new")) }, true, true},
		"the operator's, which workers have not": {apart, func(t *testing.T, s *passwordStore) { s.put(t, "ours", password("new")) }, true, false},
		"a Secret that is not there":             {gone, func(*testing.T, *passwordStore) {}, false, false},
		"no password":                            {config(nil), func(*testing.T, *passwordStore) {}, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := newPasswordStore()
			r := NewResolver(kinds, store, store)
			var told []string
			r.OnPasswordChange(func(config types.NamespacedName) { told = append(told, config.String()) })
			spec := r.Normalise(c.config)
			read := func() string {
				_, _ = r.Config(t.Context(), "ns", spec)
				return r.Fingerprint("ns", spec, c.config)
			}
			before := read()
			c.change(t, store)
			after := read()
			var want []string
			for range map[bool]int{true: 1}[c.known] + map[bool]int{true: 1}[c.other] {
				want = append(want, "ns/sc")
			}
			if (before != "") != c.known || (after != before) != c.other {
				t.Errorf("%q, then %q; want one that is known: %t, and then another: %t", before, after, c.known, c.other)
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if strings.Contains(before, "hunter2") {
				t.Errorf("%q shows the password", before)
			}
		})
	}
}

// A fingerprint is that of a password at its place, made with a key: what is another is another fingerprint.
func TestFingerprintsDiffer(t *testing.T) {
	key, place := NewFingerprintKey(), printKey{"ns", "sc", KeyRef{Name: "ours", Key: "k"}}
	one := key.of(place, "hunter2")
	if again := key.of(place, "hunter2"); again != one {
		t.Errorf("%s, and then %s", one, again)
	}
	elsewhere := func(change func(*printKey)) printKey {
		other := place
		change(&other)
		return other
	}
	for name, other := range map[string]string{
		"another key":          NewFingerprintKey().of(place, "hunter2"),
		"another password":     key.of(place, "hunter3"),
		"another namespace":    key.of(elsewhere(func(p *printKey) { p.namespace = "other" }), "hunter2"),
		"another ScalerConfig": key.of(elsewhere(func(p *printKey) { p.scalerConfig = "other" }), "hunter2"),
		"another Secret":       key.of(elsewhere(func(p *printKey) { p.secret.Name = "theirs" }), "hunter2"),
		"another key of it":    key.of(elsewhere(func(p *printKey) { p.secret.Key = "other" }), "hunter2"),
	} {
		if other == one {
			t.Errorf("%s: it is the same, %s", name, one)
		}
	}
}

func TestAnotherPassword(t *testing.T) {
	for name, c := range map[string]struct {
		made, present string
		want          bool
	}{
		"the same":                          {"k1-f1", "k1-f1", false},
		"another":                           {"k1-f1", "k1-f2", true},
		"the present one is not known":      {"k1-f1", "", false},
		"that of the pod is not known":      {"", "k1-f2", false},
		"they are made with different keys": {"k1-f1", "k2-f2", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Another(c.made, c.present); got != c.want {
				t.Errorf("Another = %t, want %t", got, c.want)
			}
		})
	}
	key := NewFingerprintKey()
	if a, b := key.of(printKey{}, "a"), key.of(printKey{}, "b"); !Another(a, b) || Another(a, a) {
		t.Errorf("%s and %s are made with one key, of two passwords", a, b)
	}
	if a, b := key.of(printKey{}, "a"), NewFingerprintKey().of(printKey{}, "b"); Another(a, b) {
		t.Errorf("%s and %s are made with two keys: nobody can tell", a, b)
	}
}

// The operator that comes after this one makes the same fingerprints, if it has the key.
func TestResolversWithOneKeyAgree(t *testing.T) {
	sc := config(func(c *v1alpha1.BrokerConfig) { c.Password = &v1alpha1.PasswordSource{Value: ptr.To("a")} })
	key := NewFingerprintKey()
	of := func(r *Resolver) string { return r.Fingerprint("ns", r.Normalise(sc), sc) }
	one, same := of(NewResolver(kinds, nil, nil).WithKey(key)), of(NewResolver(kinds, nil, nil).Within(Limits{}).WithKey(key))
	if other := of(NewResolver(kinds, nil, nil)); one != same || one == other {
		t.Errorf("%s and %s with one key, %s with another", one, same, other)
	}
}

// Two connections read one Secret at the same time. What the read that was begun first has seen may be of before.
func TestALateReadChangesNothing(t *testing.T) {
	p, place := newFingerprints(NewFingerprintKey()), printKey{scalerConfig: "sc"}
	told := 0
	p.changed = append(p.changed, func(types.NamespacedName) { told++ })
	first, second := p.begin(), p.begin()
	p.note(place, reading{print: "new", read: second})
	p.note(place, reading{print: "old", read: first})
	p.note(place, reading{read: p.begin()})
	if got, _ := p.of(place); got != "new" || told != 1 {
		t.Errorf("%q is known, and it was told %d times; want the new one, once", got, told)
	}
}

func TestFingerprintOfAPasswordInPlace(t *testing.T) {
	r := NewResolver(kinds, nil, nil)
	of := func(value string) string {
		sc := config(func(c *v1alpha1.BrokerConfig) { c.Password = &v1alpha1.PasswordSource{Value: ptr.To(value)} })
		return r.Fingerprint("ns", r.Normalise(sc), sc)
	}
	if a, b := of("a"), of("b"); a == "" || a == b || a != of("a") {
		t.Errorf("%q of one password and %q of another", a, b)
	}
	sc := config(func(c *v1alpha1.BrokerConfig) { c.Password = &v1alpha1.PasswordSource{Value: ptr.To("a")} })
	if got := r.Fingerprint("ns", r.Normalise(sc), nil); got != "" {
		t.Errorf("without its ScalerConfig it is %q, want that it is not known", got)
	}
}

// The first pod is often made before the broker is dialled: the Secret is read once for it, also where that fails.
func TestLearn(t *testing.T) {
	for name, c := range map[string]struct {
		secret string
		known  bool
	}{
		"a Secret that is there":     {"ours", true},
		"a Secret that is not there": {"none", false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newPasswordStore()
			r := NewResolver(kinds, store, store)
			sc := config(func(b *v1alpha1.BrokerConfig) { b.Password = secretRef(c.secret, "k") })
			spec := r.Normalise(sc)
			for range 3 {
				r.Learn(t.Context(), "ns", spec)
			}
			if got := r.Fingerprint("ns", spec, sc); (got != "") != c.known || store.reads != 1 {
				t.Errorf("%q after %d reads; want that it is known: %t, after 1", got, store.reads, c.known)
			}
		})
	}
}

// What is known of a ScalerConfig that is gone does not pile up, and unknown is no change.
func TestForgetPasswords(t *testing.T) {
	store := newPasswordStore()
	r := NewResolver(kinds, store, store)
	sc := config(func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("ours", "k") })
	spec := r.Normalise(sc)
	r.Learn(t.Context(), "ns", spec)
	r.ForgetPasswords(types.NamespacedName{Namespace: "other", Name: "sc"})
	if r.Fingerprint("ns", spec, sc) == "" {
		t.Error("the password of a namesake is forgotten")
	}
	r.ForgetPasswords(types.NamespacedName{Namespace: "ns", Name: "sc"})
	if got := r.Fingerprint("ns", spec, sc); got != "" || len(r.prints.known) != 0 {
		t.Errorf("%q is still known", got)
	}
}
