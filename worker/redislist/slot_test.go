package redislist

import "testing"

// The numbers are those that CLUSTER KEYSLOT answers.
func TestSlot(t *testing.T) {
	for key, want := range map[string]int{
		"123456789": 12739, "": 0, "foo": 12182, "{user1000}.following": 3443, "foo{}{bar}": 8363, "foo{{bar}}zap": 4015, "foo{bar}{zap}": 5061, "bar": 5061,
	} {
		if got := Slot(key); got != want {
			t.Errorf("%q is in slot %d, want %d", key, got, want)
		}
	}
}

func TestInOneSlot(t *testing.T) {
	for queue, want := range map[string]bool{
		"mail": true, "jobs:{eu}": true, "{mail}": true, "{m}": true, "a:processing:b": true, "a{b": true, "{": true, "{{a}": true, "x{}{a}": false,
		"a}b": false, "}": false, "{}": false, "a{}b": false, "}{": false,
	} {
		if got := InOneSlot(queue); got != want {
			t.Errorf("%q is in one slot: %t", queue, got)
		}
		keys := []string{Processing(queue, "p"), Dead(queue), DeadPayloads(queue), Delayed(queue), Unique(queue, "k}"), Unique(queue, "")}
		for _, key := range keys {
			if want && Slot(key) != Slot(queue) {
				t.Errorf("%q is in slot %d, and its queue %q in %d", key, Slot(key), queue, Slot(queue))
			}
		}
	}
}
