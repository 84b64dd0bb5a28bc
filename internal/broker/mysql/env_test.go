package mysql

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

func TestEnv(t *testing.T) {
	const password = "the password"
	got := map[string]string{}
	for _, v := range env(broker.Settings{Host: "fd00::1", Port: 3307, Username: "a b@c", Own: json.RawMessage(`{"database":"my app"}`)}) {
		if got[v.Name] = v.Value; v.Password {
			got[v.Name] = password
		}
	}
	want := map[string]string{
		"QSCALER_BROKER_URL": "mysql://a%20b%40c@[fd00::1]:3307/my%20app",
		"MYSQL_HOST":         "fd00::1", "MYSQL_PORT": "3307", "MYSQL_TCP_PORT": "3307", "MYSQL_DATABASE": "my app", "MYSQL_USER": "a b@c",
		"MYSQL_PASSWORD": password, "MYSQL_PWD": password,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	address, err := url.Parse(got["QSCALER_BROKER_URL"])
	if err != nil || address.User.Username() != "a b@c" || address.Path != "/my app" {
		t.Errorf("the URL is read as %+v, %v", address, err)
	}
}
