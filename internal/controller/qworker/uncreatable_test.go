package qworker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/revision"
)

// It is the workers' password that counts, which may be another than the operator's.
func TestWhichPodsNeedTheScalerConfig(t *testing.T) {
	literal := connection.PasswordRef{Literal: true}
	secret := connection.PasswordRef{Secret: connection.KeyRef{Name: "redis", Key: "password"}}
	why := map[string]string{"r": `its password stands in the ScalerConfig "config", which does not exist`}
	for name, c := range map[string]struct {
		connection connection.Spec
		want       map[string]string
	}{
		"no password":               {connection.Spec{}, map[string]string{}},
		"one password, in place":    {connection.Spec{Password: literal}, why},
		"one password, in a Secret": {connection.Spec{Password: secret}, map[string]string{}},
		"the operator's in place, the workers' in a Secret": {connection.Spec{Password: literal, Worker: connection.WorkerRef{Own: true, Password: secret}}, map[string]string{}},
		"the operator's in a Secret, the workers' in place": {connection.Spec{Password: secret, Worker: connection.WorkerRef{Own: true, Password: literal}}, why},
		"the operator's in place, the workers have none":    {connection.Spec{Password: literal, Worker: connection.WorkerRef{Own: true}}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			all := []revision.Revision{{Hash: "r", Content: revision.Content{Connection: c.connection}}}
			if diff := cmp.Diff(c.want, uncreatable(all, "config")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What remains of a revision that was removed is no whole pod spec.
func TestNoPodIsMadeOfWhatRemains(t *testing.T) {
	const removed, before = "its ControllerRevision was removed", "its password is missing"
	for name, c := range map[string]struct{ why, want map[string]string }{
		"others can be created":    {nil, map[string]string{"r": removed}},
		"others cannot be created": {map[string]string{"other": before}, map[string]string{"other": before, "r": removed}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, withRemoved(c.why, []revision.Revision{{Hash: "r"}})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := withRemoved(nil, nil); got != nil {
		t.Errorf("without such a revision: %v", got)
	}
}
