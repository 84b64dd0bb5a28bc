package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

var claim = broker.Claim{Cluster: "c", Process: "this-one", Mark: "7"}

// claimed has the claim be ours.
func claimed(t *testing.T, d broker.Reclaimer) broker.Claim {
	t.Helper()
	if has, err := d.Claim(t.Context(), claim, true); err != nil || has.Process != claim.Process {
		t.Fatalf("the claim is of %q, %v; want %q", has.Process, err, claim.Process)
	}
	return claim
}

func TestClaim(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	key := redislist.Operator(claim.Cluster)
	const short = "5000"
	for name, c := range map[string]struct {
		has  string // which process has the claim before
		take bool
		want string
		// renewed is true where the claim lasts for the whole expiry then.
		renewed bool
		setup   []string
	}{
		"nobody has it, and it is taken":               {take: true, want: "this-one 7 1", renewed: true},
		"nobody has it, and it is not to be taken":     {},
		"it is ours, and to be taken":                  {has: "this-one 7", take: true, want: "this-one 7 1", renewed: true},
		"it is ours, and was renewed before":           {has: "this-one 7 41", take: true, want: "this-one 7 42", renewed: true},
		"it is ours, and has no mark":                  {has: "this-one  41", want: "this-one  42", renewed: true},
		"it is another's, with renewals":               {has: "another-one 8 41", take: true, want: "another-one 8 41"},
		"it is ours, and another mark is kept":         {has: "this-one 1", take: true, want: "this-one 1 1", renewed: true},
		"it is ours, and not to be taken":              {has: "this-one 7", want: "this-one 7 1", renewed: true},
		"it is another's, and not renewed for that":    {has: "another-one 8", take: true, want: "another-one 8"},
		"it is another's":                              {has: "another-one 8", want: "another-one 8"},
		"nobody has it, and the memory is full":        {take: true, want: "this-one 7 1", renewed: true, setup: []string{"CONFIG", "SET", "maxmemory", "1"}},
		"it is ours, and the memory is full":           {has: "this-one 7", take: true, want: "this-one 7 1", renewed: true, setup: []string{"CONFIG", "SET", "maxmemory", "1"}},
		"the name begins like ours, and is another's":  {has: "this-one-too 7", take: true, want: "this-one-too 7"},
		"a hostile name is cut, and loses what hides":  {has: strings.Repeat("x", 400) + "\x1b[2J", want: strings.Repeat("x", 300) + " ..."},
		"a claim of another cluster is not looked at ": {take: true, want: "this-one 7 1", renewed: true, setup: []string{"SET", redislist.Operator("d"), "another-one 8"}},
	} {
		t.Run(name, func(t *testing.T) {
			do("CONFIG", "SET", "maxmemory", "0")
			do("FLUSHALL")
			if c.has != "" {
				do("SET", key, c.has, "PX", short)
			}
			if c.setup != nil {
				do(c.setup...)
			}
			has, err := d.Claim(t.Context(), claim, c.take)
			got := strings.TrimRight(has.Process+" "+has.Mark+" "+has.Renewals, " ")
			if err != nil || got != c.want {
				t.Errorf("Claim = %q, %v; want %q", got, err, c.want)
			}
			left, err := do("PTTL", key).AsInt64()
			if err != nil || (time.Duration(left)*time.Millisecond > broker.ClaimExpiry/2) != c.renewed || left == -1 {
				t.Errorf("it lasts for %d ms, %v; renewed: want %t", left, err, c.renewed)
			}
		})
	}
}

// No task moves without the claim, at whatever moment it expired, and nothing of the list is touched.
func TestNothingIsReclaimedWithoutTheClaim(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring).(broker.Reclaimer)
	list := redislist.Processing("q", "p1")
	for name, c := range map[string]struct {
		has   string
		moved int64
	}{
		"nobody has the claim":    {},
		"another has it":          {has: "another-one 8"},
		"this process has it":     {has: "this-one 1", moved: 2},
		"the name begins like it": {has: "this-one! 1"},
	} {
		t.Run(name, func(t *testing.T) {
			do("FLUSHALL")
			do("RPUSH", list, "1", "2")
			if c.has != "" {
				do("SET", redislist.Operator(claim.Cluster), c.has)
			}
			moved, err := d.Reclaim(t.Context(), claim, "q", "p1")
			if moved != c.moved || (c.moved == 0) != (broker.ReasonOf(err) == broker.ReasonOtherOperator) {
				t.Errorf("%d moved, %v; want %d", moved, err, c.moved)
			}
			if err != nil && !strings.Contains(err.Error(), c.has) {
				t.Errorf("%v; want the name of the other, %q", err, c.has)
			}
			left, err := do("LLEN", list).AsInt64()
			if err != nil || left != 2-c.moved {
				t.Errorf("%d left, %v; want %d", left, err, 2-c.moved)
			}
		})
	}
}

// The rights that docs/redis-layout.md lists are enough, and each is needed.
func TestTheRightsToReclaim(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	rights := []string{"~q", "~{q}:*", "~qscaler:operator:*", "+eval", "+get", "+set", "+pexpire", "+lmove", "+llen"}
	reclaim := func(rights []string) error {
		do("FLUSHALL")
		do("RPUSH", redislist.Processing("q", "p1"), "1")
		do("ACL", "DELUSER", "operator")
		do(append([]string{"ACL", "SETUSER", "operator", "on", ">pw"}, rights...)...)
		d := open(t, Config{Address: server.Addr(), Username: "operator", Password: broker.NewSecret("pw")}, newBell().ring).(broker.Reclaimer)
		for range 2 { // it is taken, and it is renewed
			if _, err := d.Claim(t.Context(), claim, true); err != nil {
				return err
			}
		}
		_, err := d.Reclaim(t.Context(), claim, "q", "p1")
		return err
	}
	if err := reclaim(rights); err != nil {
		t.Error(err)
	}
	for i, right := range rights {
		without := append(append([]string{}, rights[:i]...), rights[i+1:]...)
		if diff := cmp.Diff(broker.ReasonPermissionDenied, broker.ReasonOf(reclaim(without))); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", right, diff)
		}
	}
}
