package postgres

import (
	"crypto/tls"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quickube/qscaler/internal/broker"
)

func TestEnv(t *testing.T) {
	own := json.RawMessage(`{"database":"my app"}`)
	verified := &tls.Config{MinVersion: tls.VersionTLS12}
	cases := map[string]struct {
		settings broker.Settings
		want     map[string]string
	}{
		"plain": {
			broker.Settings{Host: "fd00::1", Port: 6432, Username: "a b@c", Own: own},
			map[string]string{
				"QSCALER_BROKER_URL": "postgresql://a%20b%40c@[fd00::1]:6432/my%20app?sslmode=disable",
				"PGHOST":             "fd00::1", "PGPORT": "6432", "PGDATABASE": "my app", "PGUSER": "a b@c", "PGSSLMODE": "disable", "PGPASSWORD": "the password",
			},
		},
		"with TLS": {
			broker.Settings{Host: "db", Port: 5432, Username: "app", Own: own, TLS: verified, CA: "/ca.crt"},
			map[string]string{
				"QSCALER_BROKER_URL": "postgresql://app@db:5432/my%20app?sslmode=verify-full",
				"PGHOST":             "db", "PGPORT": "5432", "PGDATABASE": "my app", "PGUSER": "app", "PGSSLMODE": "verify-full",
				"PGSSLROOTCERT": "/ca.crt", "PGPASSWORD": "the password",
			},
		},
	}
	for name, c := range cases {
		got := map[string]string{}
		for _, v := range env(c.settings) {
			if got[v.Name] = v.Value; v.Password {
				got[v.Name] = "the password"
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if _, err := pgconn.ParseConfig(got["QSCALER_BROKER_URL"]); err != nil {
			t.Errorf("%s: a client does not take the URL: %v", name, err)
		}
	}
	for want, s := range map[string]broker.Settings{
		"require": {TLS: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}},
		"disable": {},
	} {
		if mode, authorities := sslMode(s); mode != want || authorities != "" {
			t.Errorf("sslmode=%s, sslrootcert=%s; want %s", mode, authorities, want)
		}
	}
	if mode, authorities := sslMode(broker.Settings{TLS: verified}); mode != "verify-full" || authorities != "system" {
		t.Errorf("sslmode=%s, sslrootcert=%s; want the system's", mode, authorities)
	}
}
