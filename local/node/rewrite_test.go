package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRewrite(t *testing.T) {
	m := mounts{{path: "/etc/qscaler/deep", dir: "/D"}, {path: "/etc/qscaler", dir: "/etc/qscaler/v"}, {path: "/tmp", dir: "/tmp/pod"}}
	for name, test := range map[string]struct{ in, want string }{
		"a file":                          {"/etc/qscaler/drain", "/etc/qscaler/v/drain"},
		"the mount itself":                {"/etc/qscaler", "/etc/qscaler/v"},
		"in a script":                     {`[ -s "/etc/qscaler/drain" ]; ls /tmp;`, `[ -s "/etc/qscaler/v/drain" ]; ls /tmp/pod;`},
		"in a list":                       {"A=/tmp:/usr", "A=/tmp/pod:/usr"},
		"the innermost mount wins":        {"/etc/qscaler/deep/x", "/D/x"},
		"a longer name is another path":   {"/etc/qscaler2 /tmpfile", "/etc/qscaler2 /tmpfile"},
		"the end of another path is none": {"/var/tmp/x", "/var/tmp/x"},
		"what is put in stays":            {"/tmp/tmp", "/tmp/pod/tmp"},
		"nothing":                         {"", ""},
	} {
		if got := m.rewrite(test.in); got != test.want {
			t.Errorf("%s: %q becomes %q, want %q", name, test.in, got, test.want)
		}
	}
}

func TestExpand(t *testing.T) {
	v := newVariables()
	v.set("A", "1")
	v.set("B", "$(A)")
	for in, want := range map[string]string{
		"$(A)":      "1",
		"x$(A)y":    "x1y",
		"$$(A)":     "$(A)",
		"$$$(A)":    "$1",
		"$(NONE)":   "$(NONE)",
		"$(B)":      "$(A)",
		"$A ${A}":   "$A ${A}",
		"$(A":       "$(A",
		"cost: 5$":  "cost: 5$",
		"$$":        "$",
		"":          "",
		"a $(A) $$": "a 1 $",
	} {
		if got := v.expand(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestCrashBackOff(t *testing.T) {
	const base, limit = 10 * time.Second, 5 * time.Minute
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var c crashes
	var waits []time.Duration
	crash := func() {
		at, _ := c.until(now, limit)
		waits = append(waits, at.Sub(now))
		c.restarted(now, at, base, limit)
		now = at
	}
	for range 8 {
		crash()
	}
	now = now.Add(11 * time.Minute) // a run that lasts
	crash()
	crash()
	want := []time.Duration{0, 10, 20, 40, 80, 160, 300, 300, 0, 10}
	for i := range want {
		want[i] *= time.Second
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("the waits (-want +got):\n%s", diff)
	}
}
