package operator

import (
	"fmt"
	"os"

	"github.com/quickube/qscaler/internal/controller/qworker"
)

// nameOf is the name under which this operator writes. Replicas share one lease, and so one name; two operators that know
// nothing of each other have two.
func nameOf(o Options) (string, error) {
	if !o.LeaderElection {
		host, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("naming this operator, %w", err)
		}
		return qworker.OperatorPrefix + "at-" + host, nil
	}
	namespace, err := leaseNamespace(o)
	if err != nil {
		return "", err
	}
	return qworker.OperatorPrefix + "of-" + namespace, nil
}
