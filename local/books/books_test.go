package books

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(ms int64) time.Time { return time.UnixMilli(ms) }

// keep keeps the books of one story.
func keep(t *testing.T, logs map[string]string, pushed ...string) *Books {
	t.Helper()
	b := New()
	for _, task := range pushed {
		b.Pushed(task, at(0))
	}
	dir := t.TempDir()
	for pod, text := range logs {
		path := filepath.Join(dir, pod)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b.Follow(pod, path)
	}
	return b
}

func TestBalance(t *testing.T) {
	t.Parallel()
	never := func(string) bool { return false }
	always := func(string) bool { return true }
	for name, test := range map[string]struct {
		logs   map[string]string
		pushed []string
		happen func(b *Books)
		held   []string
		live   func(string) bool
		want   Balance
		sound  bool
	}{
		"each is done once": {
			logs:   map[string]string{"a": "1 started x\n2 done x\n", "b": "noise\n1 started y\n3 done y\n"},
			pushed: []string{"x", "y"}, live: never,
			want: Balance{Pushed: 2, DoneOnce: 2}, sound: true,
		},
		"a task that the broker holds waits, another is lost": {
			pushed: []string{"x", "y"}, held: []string{"x"}, live: never,
			want: Balance{Pushed: 2, Waiting: []string{"x"}, Lost: []string{"y"}},
		},
		"a worker that is still at it has not been interrupted": {
			logs:   map[string]string{"a": "1 started x\n"},
			pushed: []string{"x"}, held: []string{"x"}, live: always,
			want: Balance{Pushed: 1, Waiting: []string{"x"}},
		},
		"a worker that ended in the middle was interrupted": {
			logs:   map[string]string{"a": "1 started x\n", "b": "5 started x\n6 done x\n"},
			pushed: []string{"x"}, live: never,
			want: Balance{Pushed: 1, DoneOnce: 1, Interrupted: []Interruption{{"x", "a", at(1)}}},
		},
		"a kill explains one interruption, and no other": {
			logs:   map[string]string{"a": "1 started x\n5 started x\n9 started x\n12 done x\n"},
			pushed: []string{"x"}, live: always,
			happen: func(b *Books) { b.Killed("a", at(3), at(3)) },
			want: Balance{
				Pushed: 1, DoneOnce: 1,
				Killed: []Interruption{{"x", "a", at(1)}}, Interrupted: []Interruption{{"x", "a", at(5)}},
			},
		},
		"a worker killed before its acknowledgement explains a repetition": {
			logs:   map[string]string{"a": "1 started x\n5 done x\n", "b": "20 started x\n25 done x\n"},
			pushed: []string{"x"}, live: never,
			happen: func(b *Books) { b.Killed("a", at(6), at(6)) },
			want: Balance{Pushed: 1, Again: []Repeat{{
				"x", []string{"a", "b"}, "its worker was killed before it acknowledged the task",
			}}},
			sound: true,
		},
		"nothing explains a repetition long after a kill of another": {
			logs:   map[string]string{"a": "1 started x\n5 done x\n", "b": "20 started x\n25 done x\n"},
			pushed: []string{"x"}, live: never,
			happen: func(b *Books) { b.Killed("b", at(22), at(22)) },
			want:   Balance{Pushed: 1, Again: []Repeat{{"x", []string{"a", "b"}, ""}}},
		},
		"an outage of the broker explains a repetition": {
			logs:   map[string]string{"a": "1 started x\n5 done x\n2000 started x\n2001 done x\n"},
			pushed: []string{"x"}, live: always,
			happen: func(b *Books) { b.Outage(at(4), at(1000)) },
			want: Balance{Pushed: 1, Again: []Repeat{{
				"x", []string{"a", "a"}, "the broker was killed before the task was acknowledged",
			}}},
			sound: true,
		},
		"a line that is not complete yet does not count": {
			logs:   map[string]string{"a": "1 started x\n5 done x"},
			pushed: []string{"x"}, held: []string{"x"}, live: always,
			want: Balance{Pushed: 1, Waiting: []string{"x"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := keep(t, test.logs, test.pushed...)
			if test.happen != nil {
				test.happen(b)
			}
			if err := b.Refresh(); err != nil {
				t.Fatal(err)
			}
			got := b.Balance(test.held, test.live)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.Sound() != test.sound {
				t.Errorf("Sound() = %t, want %t", got.Sound(), test.sound)
			}
		})
	}
}

func TestDoing(t *testing.T) {
	t.Parallel()
	b := keep(t, map[string]string{"a": "1 started x\n5 done x\n7 started y\n"}, "x", "y")
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Work{Task: "y", Since: at(7), Done: 1}, b.Doing("a")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for ms, busy := range map[int64]bool{0: false, 3: true, 6: false, 8: true} {
		if got := b.BusyAt("a", at(ms)); got != busy {
			t.Errorf("BusyAt(%d) = %t, want %t", ms, got, busy)
		}
	}
	if diff := cmp.Diff([]string{"y"}, b.Open()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
