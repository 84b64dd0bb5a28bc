package backlog_test

import (
	"testing"

	"github.com/quickube/qscaler/internal/backlog"
)

func TestAKeyForAPerson(t *testing.T) {
	for key, want := range map[backlog.Key]string{
		{Watcher: backlog.ScalerConfig, Namespace: "ns", Name: "config"}:           "ScalerConfig ns/config",
		{Watcher: backlog.QWorker, Namespace: "ns", Name: "fleet", Revision: "7f"}: "QWorker ns/fleet, revision 7f",
	} {
		if got := key.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
