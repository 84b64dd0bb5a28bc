package connection

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// Nobody tells the operator that the workers' own password is refused: it says itself what it sees.
func TestThePasswordOfWorkersEndsInANewline(t *testing.T) {
	own := func(password *v1alpha1.PasswordSource) *v1alpha1.ScalerConfig {
		return config(func(c *v1alpha1.BrokerConfig) {
			c.Password, c.Worker = secretRef("ours", "k"), &v1alpha1.WorkerLogin{Password: password}
		})
	}
	nkey := func(sc *v1alpha1.ScalerConfig) *v1alpha1.ScalerConfig {
		sc.Spec.Config.Username = "trims"
		return sc
	}
	for name, c := range map[string]struct {
		config *v1alpha1.ScalerConfig
		theirs string
		want   string // in the message; "" where there is no risk
	}{
		"a Secret":             {own(secretRef("theirs", "k")), "s3cret\n", `config.worker.password.secret: key "k" of Secret ns/theirs ends in a newline`},
		"a Secret without one": {own(secretRef("theirs", "k")), "s3cret", ""},
		"in place":             {own(&v1alpha1.PasswordSource{Value: ptr.To("s3cret\n")}), "", "config.worker.password.value ends in a newline"},
		"a key":                {nkey(own(secretRef("theirs", "k"))), "s3cret\n", ""},
		"none of their own":    {config(func(c *v1alpha1.BrokerConfig) { c.Password = secretRef("theirs", "k") }), "s3cret\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := newPasswordStore()
			store.put(t, "theirs", func(o *corev1.Secret) { o.Data = map[string][]byte{"k": []byte(c.theirs)} })
			trimming := slices.Clone(kinds)
			for i := range trimming {
				trimming[i].TrimsPassword = func(s broker.Settings) bool { return s.Username == "trims" }
			}
			r := NewResolver(trimming, store, store)
			spec := r.Normalise(c.config)
			_, _ = r.Config(t.Context(), "ns", spec)
			risks := r.Risks("ns", spec, c.config)
			if (len(risks) > 0) != (c.want != "") || len(risks) > 0 && !strings.Contains(risks[0].Message, c.want) {
				t.Errorf("%v, want %q", risks, c.want)
			}
			if len(risks) > 0 && strings.Contains(risks[0].Message, "s3cret") {
				t.Errorf("it has the password: %v", risks)
			}
			store.put(t, "theirs", password("mended"))
			_, _ = r.Config(t.Context(), "ns", spec)
			if spec.Worker.Password.Secret != (KeyRef{}) && len(r.Risks("ns", spec, c.config)) > 0 {
				t.Error("it is mended, and still told")
			}
		})
	}
}
