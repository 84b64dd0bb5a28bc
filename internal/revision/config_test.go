package revision

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/quickube/qscaler/internal/connection"
)

// What changes of Secrets and ConfigMaps make of the history: each step is the content, what is known, and the revision that
// is then the newest, by the order in which they were made.
func TestConfig(t *testing.T) {
	key, another := connection.NewFingerprintKey(), connection.NewFingerprintKey()
	object := func(key connection.FingerprintKey, content string) string {
		return key.OfData("ns", "Secret s", map[string][]byte{"k": []byte(content)})
	}
	unknown := Config{Follow: true}
	is := func(content string) Config {
		return Config{Follow: true, Fingerprints: map[string]string{"Secret s": object(key, content)}}
	}
	off := Config{}
	type step struct {
		image  int
		config Config
		want   int
	}
	for name, steps := range map[string][]step{
		"a change":                                  {{1, is("a"), 0}, {1, is("a"), 0}, {1, is("b"), 1}, {1, is("b"), 1}},
		"a change and a change back":                {{1, is("a"), 0}, {1, is("b"), 1}, {1, is("a"), 0}, {1, is("b"), 1}},
		"what is there is adopted":                  {{1, off, 0}, {1, unknown, 0}, {1, is("a"), 0}, {1, is("b"), 1}},
		"a restart, after which nothing is known":   {{1, is("a"), 0}, {1, unknown, 0}, {1, is("a"), 0}},
		"a restart between two revisions":           {{1, is("a"), 0}, {1, is("b"), 1}, {1, unknown, 1}, {1, is("b"), 1}},
		"a change while no operator runs":           {{1, is("a"), 0}, {1, unknown, 0}, {1, is("b"), 1}},
		"off, a change, and on":                     {{1, is("a"), 0}, {1, off, 0}, {1, is("b"), 0}, {1, is("c"), 1}},
		"a spec of before with another content":     {{1, is("a"), 0}, {2, is("a"), 1}, {2, is("b"), 2}, {1, is("b"), 3}},
		"a spec of before with the content of then": {{1, is("a"), 0}, {2, is("a"), 1}, {1, is("a"), 0}},
		"a key that is lost": {{1, is("a"), 0}, {1, Config{true, map[string]string{"Secret s": object(another, "b")}}, 0},
			{1, Config{true, map[string]string{"Secret s": object(another, "c")}}, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			made := map[string]int{}
			for i, s := range steps {
				r, err := b.Ensure(t.Context(), b.qw, b.list(), release(s.image), s.config)
				if err != nil {
					t.Fatal(err)
				}
				if _, known := made[r.Hash]; !known {
					made[r.Hash] = len(made)
				}
				stored := b.list()
				if newest := stored[len(stored)-1]; made[r.Hash] != s.want || newest.Hash != r.Hash || len(stored) != len(made) {
					t.Fatalf("step %d: it is revision %d of %d, and %s is the newest; want %d", i, made[r.Hash], len(stored), newest.Hash, s.want)
				}
				if diff := cmp.Diff(r.Config, stored[len(stored)-1].Config); diff != "" {
					t.Errorf("step %d: stored (+) is not what was returned (-):\n%s", i, diff)
				}
			}
		})
	}
}

// Each content of an object is a revision of its own, however many there are.
func TestManyConfigs(t *testing.T) {
	b, key := newBook(t), connection.NewFingerprintKey()
	for n := range 3 * maxCollisions {
		config := Config{Follow: true, Fingerprints: map[string]string{"Secret s": key.OfData("ns", "Secret s", map[string][]byte{"n": {byte(n)}})}}
		if _, err := b.Ensure(t.Context(), b.qw, b.list(), release(1), config); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.list()); n != 3*maxCollisions {
		t.Errorf("there are %d revisions", n)
	}
}

// What cannot be stored is told, and what nobody can read is written anew.
func TestConfigThatIsNotStored(t *testing.T) {
	b := newBook(t)
	r := b.ensure(release(1))
	b.intercept(interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return fmt.Errorf("no")
	}})
	config := Config{Follow: true, Fingerprints: map[string]string{"Secret s": "a-b"}}
	if _, err := b.Ensure(t.Context(), b.qw, b.list(), release(1), config); err == nil || err.Error() != "updating the revision "+r.name+", no" {
		t.Errorf("got %v", err)
	}
	broken := &appsv1.ControllerRevision{}
	broken.Annotations = map[string]string{annotationConfig: "{"}
	if got := configOf(broken.Annotations[annotationConfig]); got != nil {
		t.Errorf("of a broken annotation it is %v", got)
	}
}
