package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

func TestSlots(t *testing.T) {
	c := redisservertest.StartCluster(t, 1, false, neverDead)
	do := plainClient(t, c.Masters[0].Addr())
	for _, key := range []string{"", "q", "{q}:processing:p", "jobs:{eu}", "{}a", "a{}b", "{a}{b}", "}{", "{{a}}", "a}b{c}", "{", "q\x00\xff", "qscaler:operator:c:{q}", strings.Repeat("long", 1000)} {
		want, err := do("CLUSTER", "KEYSLOT", key).AsInt64()
		if err != nil || int64(redislist.Slot(key)) != want {
			t.Errorf("the slot of %.40q is %d, want %d, %v", key, redislist.Slot(key), want, err)
		}
	}
}

func TestTopology(t *testing.T) {
	const id = "07c37dfeb235213a872192d90877d0cd55635b9"
	node := func(n int, address, flags, rest string) string {
		return fmt.Sprintf("%s%d %s %s - 0 1426238317239 4 connected %s\n", id, n, address, flags, rest)
	}
	for name, c := range map[string]struct {
		text   string
		byName bool
		want   []string // addresses of the masters
		self   string
		owners map[int]string
		err    string
	}{
		"masters and replicas": {
			text: "txt:" + node(1, "10.0.0.1:6379@16379,a", "myself,master", "0-5460 5462") + node(2, "10.0.0.2:6379@16379", "slave", "") + node(3, "10.0.0.3:6380@16380,,tls-port=0", "master", "5461 [93->-id] 5463-16383"),
			want: []string{"10.0.0.1:6379", "10.0.0.3:6380"}, self: "10.0.0.1:6379",
			owners: map[int]string{0: "10.0.0.1:6379", 5460: "10.0.0.1:6379", 5461: "10.0.0.3:6380", 5462: "10.0.0.1:6379", 16383: "10.0.0.3:6380"},
		},
		"by name":                     {text: node(1, "10.0.0.1:6379@16379,a.example", "master", "0-1") + node(2, "10.0.0.2:6379@16379", "master", "3"), byName: true, want: []string{"a.example:6379", "10.0.0.2:6379"}, owners: map[int]string{2: ""}},
		"one that knows no address":   {text: node(1, ":6379@16379", "myself,master", "0-16383"), want: []string{"seed:6379"}, self: "seed:6379"},
		"IPv6":                        {text: node(1, "fd00::1:6379@16379", "master", "0"), want: []string{"[fd00::1]:6379"}},
		"one that failed, and others": {text: node(1, "10.0.0.1:6379@16379", "master,fail", "0") + node(2, ":0@0", "master,noaddr", "1") + node(3, "10.0.0.2:1@2", "master", ""), want: []string{"10.0.0.1:6379"}, owners: map[int]string{1: ""}},
		"nothing":                     {},
		"too few words":               {text: "a b c\n", err: "does not"},
		"a slot beyond":               {text: node(1, "a:1@2", "master", "16384"), err: "does not"},
		"a range that runs backwards": {text: node(1, "a:1@2", "master", "5-4"), err: "does not"},
		"no number":                   {text: node(1, "a:1@2", "master", "x"), err: "does not"},
		"a port that cannot be":       {text: node(1, "a:99999@2", "master", "1"), err: "cannot be"},
		"an address that cannot be":   {text: node(1, "a/b:1@2", "master", "1"), err: "cannot be"},
		"an address without a port":   {text: node(1, "a", "master", "1"), err: "does not"},
		"thousands":                   {text: strings.Repeat(node(1, "a:1@2", "master", "1"), mostMasters+1), err: "more than 1000 masters"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTopology(c.text, "seed:1", c.byName)
			if c.err != "" || err != nil {
				if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
					t.Errorf("the error is %v, want %q in it", err, c.err)
				}
				return
			}
			var masters []string
			for _, m := range got.masters {
				masters = append(masters, m.address)
			}
			if diff := cmp.Diff(c.want, masters); diff != "" || got.self.address != c.self {
				t.Errorf("self is %q, want %q; masters (-want +got):\n%s", got.self.address, c.self, diff)
			}
			for slot, want := range c.owners {
				if m, _ := got.of(slot); m.address != want {
					t.Errorf("slot %d is of %q, want %q", slot, m.address, want)
				}
			}
		})
	}
}
