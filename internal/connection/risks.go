package connection

import (
	"fmt"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// ReasonPasswordEndsInNewline is that of a Risk.
const ReasonPasswordEndsInNewline broker.Reason = "PasswordEndsInNewline"

// Risks are what of the workers' own login may keep them from working. The broker tells the operator of its own password, and
// nobody of theirs. Like Fingerprint it asks nobody.
func (r *Resolver) Risks(namespace string, s Spec, sc *v1alpha1.ScalerConfig) []broker.Risk {
	if trims := r.Kind(s).TrimsPassword; !s.Worker.Own || trims != nil && trims(s.settings()) {
		return nil
	}
	where, newline := "config.worker.password.value", broker.NewSecret(s.literalOfWorker(sc)).EndsInNewline()
	if ref := s.Worker.Password.Secret; ref != (KeyRef{}) {
		r.prints.mu.Lock()
		newline = r.prints.known[keyOf(namespace, s)].newline
		r.prints.mu.Unlock()
		where = fmt.Sprintf("config.worker.password.secret: key %q of Secret %s/%s", ref.Key, namespace, ref.Name)
	}
	if !newline {
		return nil
	}
	return []broker.Risk{{Reason: ReasonPasswordEndsInNewline, Message: where + " ends in a newline, with which a broker mostly refuses the workers; make the Secret with kubectl create secret generic --from-literal, or encode the value with printf '%s' and not with echo"}}
}
