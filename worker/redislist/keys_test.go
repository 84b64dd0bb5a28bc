package redislist

import (
	"slices"
	"testing"
)

func TestKeysAndBack(t *testing.T) {
	cases := map[string]struct{ queue, processing, delayed string }{
		"a plain name":                    {"mail", "{mail}:processing:p-0", "{mail}:delayed"},
		"a name with a hash tag":          {"jobs:{eu}", "jobs:{eu}:processing:p-0", "jobs:{eu}:delayed"},
		"a name that is a hash tag":       {"{mail}", "{mail}:processing:p-0", "{mail}:delayed"},
		"a hash tag of one letter":        {"{m}", "{m}:processing:p-0", "{m}:delayed"},
		"an empty tag is none":            {"a{}b", "{a{}b}:processing:p-0", "{a{}b}:delayed"},
		"half a tag is none":              {"a}b", "{a}b}:processing:p-0", "{a}b}:delayed"},
		"a name with the protocol's word": {"a:processing:b", "{a:processing:b}:processing:p-0", "{a:processing:b}:delayed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Processing(c.queue, "p-0"); got != c.processing {
				t.Errorf("the processing list is %q, want %q", got, c.processing)
			}
			if got := Delayed(c.queue); got != c.delayed {
				t.Errorf("the delayed set is %q, want %q", got, c.delayed)
			}
			queues, pod, ok := QueuesOf(c.processing)
			if !ok || pod != "p-0" || !slices.Contains(queues, c.queue) {
				t.Errorf("%s is of the queues %q and pod %q (%t)", c.processing, queues, pod, ok)
			}
			if queues := QueuesOfDelayed(c.delayed); !slices.Contains(queues, c.queue) {
				t.Errorf("%s is of the queues %q", c.delayed, queues)
			}
			if pod, ok := PodOf(c.queue, c.processing); !ok || pod != "p-0" {
				t.Errorf("%s is of pod %q (%t)", c.processing, pod, ok)
			}
		})
	}
}

func TestKeysOfNobody(t *testing.T) {
	for _, key := range []string{"", "mail", "{mail}:processing:", "mail:processing:p-0", "{mail}:dead", ":processing:p"} {
		if queues, pod, ok := QueuesOf(key); ok {
			t.Errorf("%q is the list of pod %q in %q", key, pod, queues)
		}
	}
	for _, key := range []string{"", "mail", "mail:delayed", ":delayed", "{mail}:processing:p-0"} {
		if queues := QueuesOfDelayed(key); len(queues) > 0 {
			t.Errorf("%q is the delayed set of %q", key, queues)
		}
	}
}

func TestPodOfAnotherQueue(t *testing.T) {
	for _, key := range []string{"", "{mail}:processing:", "{mail2}:processing:p-0", "{mail}:dead"} {
		if pod, ok := PodOf("mail", key); ok {
			t.Errorf("%q is the list of pod %q of mail", key, pod)
		}
	}
}

func TestKeysBesideTheQueue(t *testing.T) {
	got := []string{Dead("mail"), DeadPayloads("mail"), Unique("mail", "order-7")}
	if want := []string{"{mail}:dead", "{mail}:dead:payloads", "{mail}:unique:order-7"}; !slices.Equal(got, want) {
		t.Errorf("the keys are %q, want %q", got, want)
	}
}

func TestIsKey(t *testing.T) {
	keys := []string{"qscaler:operator:", Operator("c")}
	for _, queue := range []string{"q", "{q}", "jobs:{eu}", "a b:c", "{q}:x", "a:processing:b", "{a}:processing:b", "{", "}{", ":processing:{q}", "}:processing:{"} {
		keys = append(keys, Processing(queue, "p"), Dead(queue), DeadPayloads(queue), Delayed(queue), Unique(queue, "k"), Unique(queue, ""))
		if queue != "{a}:processing:b" && IsKey(queue) {
			t.Errorf("the queue %q is taken for a key", queue)
		}
	}
	for _, key := range keys {
		if !IsKey(key) {
			t.Errorf("%q is not taken for a key", key)
		}
	}
	for _, queue := range []string{"", "q:dead", "dead", ":dead", "q:delayed", "q:unique:k", "my:qscaler:operator:c", "{}:dead", "{q:dead", "a:processing:b:processing:c"} {
		if IsKey(queue) {
			t.Errorf("%q is taken for a key", queue)
		}
	}
}
