package redis

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

func reasonsOf(risks []broker.Risk) []broker.Reason {
	reasons := []broker.Reason{}
	for _, risk := range risks {
		reasons = append(reasons, risk.Reason)
	}
	return reasons
}

func TestTheRisksOfSettings(t *testing.T) {
	for name, c := range map[string]struct {
		info      string
		save      string
		saveKnown bool
		want      []broker.Reason
	}{
		"nothing is known":                              {},
		"all is well":                                   {info: "redis_version:7.0.15\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n", saveKnown: true},
		"it saves its data, without a log":              {info: "aof_enabled:0\r\n", save: "3600 1", saveKnown: true},
		"it has no log, and does not say when it saves": {info: "aof_enabled:0\r\n"},
		"it keeps nothing":                              {info: "aof_enabled:0\r\n", saveKnown: true, want: []broker.Reason{broker.ReasonNotPersistent}},
		"any key may go":                                {info: "maxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n", want: []broker.Reason{broker.ReasonMayEvict}},
		"keys that expire may go":                       {info: "maxmemory:1000\r\nmaxmemory_policy:volatile-ttl\r\n", want: []broker.Reason{broker.ReasonMayEvict}},
		"its memory has no bound":                       {info: "maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"},
		"it is the oldest that will do":                 {info: "redis_version:6.2.0\r\n"},
		"it is too old":                                 {info: "redis_version:6.0.16\r\n", want: []broker.Reason{broker.ReasonTooOld}},
		"it is Valkey":                                  {info: "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n"},
		"it has a version of its own, and an old one of Redis": {info: "redis_version:4.0.0\r\nkvrocks_version:2.9.0\r\n"},
		"its compiler has a version":                           {info: "redis_version:6.0.16\r\ngcc_version:9.3.0\r\n", want: []broker.Reason{broker.ReasonTooOld}},
		"its version is no number":                             {info: "redis_version:unstable\r\n"},
		"all at once": {info: "redis_version:5.0.0\r\nmaxmemory:1\r\nmaxmemory_policy:allkeys-random\r\naof_enabled:0\r\n", saveKnown: true,
			want: []broker.Reason{broker.ReasonTooOld, broker.ReasonMayEvict, broker.ReasonNotPersistent}},
	} {
		s := settings{info: map[string]string{}, save: c.save, saveKnown: c.saveKnown}
		s.add(c.info)
		if c.want == nil {
			c.want = []broker.Reason{}
		}
		if diff := cmp.Diff(c.want, reasonsOf(s.risks())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A server says what it is set to, by both versions of the protocol, and to a user who may not ask it is no failure.
func TestAServerIsInspected(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("CONFIG", "SET", "appendonly", "no", "save", "")
	do("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	do("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection", "+client|tracking")
	do("ACL", "SETUSER", "old", "on", ">secret", "~*", "+@all", "-hello")
	for name, c := range map[string]struct {
		username string
		want     []broker.Reason
	}{
		"who may ask":           {"", []broker.Reason{broker.ReasonMayEvict, broker.ReasonNotPersistent}},
		"by the older protocol": {"old", []broker.Reason{broker.ReasonMayEvict, broker.ReasonNotPersistent}},
		"who may not":           {"reader", []broker.Reason{}},
	} {
		config := Config{Address: server.Addr(), Username: c.username}
		if c.username != "" {
			config.Password = broker.NewSecret("secret")
		}
		risks, err := open(t, config, newBell().ring).(broker.Inspector).Inspect(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, reasonsOf(risks)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A server that does not answer has said nothing: what was known stays.
func TestAnInspectionThatIsNotAnswered(t *testing.T) {
	for _, command := range []string{"INFO", "CONFIG"} {
		address := fakeServer(t, func(c []string) string {
			switch c[0] {
			case "HELLO":
				return unknown(c)
			case command:
				return "(1" // no reply of Redis: the connection is given up
			case "INFO":
				return "$0\r\n"
			}
			return "+OK"
		})
		if risks, err := open(t, Config{Address: address}, newBell().ring).(broker.Inspector).Inspect(t.Context()); err == nil {
			t.Errorf("%s: %v", command, risks)
		}
	}
}
