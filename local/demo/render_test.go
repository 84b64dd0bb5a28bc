package demo

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/local/brokers"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

// busyMoment has one of each.
func busyMoment() picture {
	return picture{
		elapsed: 83 * time.Second, broker: "redis-server at 127.0.0.1:6379",
		chapter: heading{number: 3, of: 6, title: "A change of the spec rolls the fleet", text: storyOn(brokers.Default())[2].text},
		waiting: 31, inFlight: 4, desired: 8, current: 4, draining: 2, replicas: 6, pushed: 68, done: 33,
		left: 7, stopped: []string{"t-1", "t-31"},
		workers: []workerRow{
			{name: "4dd88v7dcr", revision: "vw454588x6", activity: busy, task: "t-1", spent: 9300 * time.Millisecond, length: 21 * time.Second, leave: "Rollout"},
			{name: "bc8kgp9zbg", revision: "vw454588x6", activity: busy, task: "t-31", spent: 500 * time.Millisecond, length: time.Second, done: 12, stopped: true},
			{name: "ztsjcg6xwd", revision: "8vd9vsqbh5", activity: idle, leave: "ScaleDown", done: 3},
			{name: "jp4xdck6mx", revision: "8vd9vsqbh5", activity: idle},
			{name: "pjhf7wsvqd", revision: "8vd9vsqbh5", activity: killed},
			{name: "z6qpwxbs29", revision: "8vd9vsqbh5", activity: starting},
			{name: "z7kh8f9x2h", revision: "vw454588x6", activity: gone, done: 7},
		},
		news: []news{
			{at: 70 * time.Second, what: "Create x7", why: "the queue asks for 8 workers"},
			{at: 71 * time.Second, from: fromStory, what: "kill -9", why: "worker pjhf7wsvqd dies in the middle of t-30"},
			{at: 75 * time.Second, what: "GrantLeave", why: "revision 8vd9vsqbh5 takes the place of vw454588x6; it leaves after its task, however long that takes", who: "4dd88v7dcr"},
			{at: 76 * time.Second, from: fromWorker, what: "has left", why: "on its grant (Rollout); tasks done: 7", who: "z7kh8f9x2h"},
		},
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	crowded := busyMoment()
	for range 20 {
		crowded.workers = append(crowded.workers, workerRow{name: "2k65jjd747", revision: "8vd9vsqbh5", activity: idle})
	}
	down := busyMoment()
	down.operatorDown = true
	for name, test := range map[string]struct {
		picture       picture
		glyphs        glyphs
		width, height int
	}{
		"before-the-story": {picture{elapsed: time.Second, broker: "stand-in for redis-server (in memory, polled) at 127.0.0.1:6379"}, unicodeGlyphs, 80, 24},
		"80x24":            {busyMoment(), unicodeGlyphs, 80, 24},
		"wide":             {busyMoment(), unicodeGlyphs, 132, 43},
		"crowded":          {crowded, unicodeGlyphs, 80, 24},
		"operator-down":    {down, unicodeGlyphs, 80, 24},
		"ascii":            {busyMoment(), asciiGlyphs, 80, 24},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := renderer{glyphs: test.glyphs}.lines(test.picture, test.width, test.height)
			if len(lines) > test.height {
				t.Errorf("%d lines on a screen of %d", len(lines), test.height)
			}
			for _, line := range lines {
				if columns(line) > test.width {
					t.Errorf("%d columns on a screen of %d: %s", columns(line), test.width, line)
				}
			}
			got := strings.Join(lines, "\n") + "\n"
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestColoursAreAllowedOrNot(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		lines := renderer{ink: ink{colours: allowed}, glyphs: unicodeGlyphs}.lines(busyMoment(), 80, 24)
		if got := strings.Contains(strings.Join(lines, "\n"), "\x1b["); got != allowed {
			t.Errorf("colours allowed: %t, used: %t", allowed, got)
		}
	}
}

func TestScreenWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := &screen{renderer: renderer{glyphs: unicodeGlyphs}, out: &out, size: func() (int, int) { return 80, 24 }}
	p := busyMoment()
	s.show(p)
	first := out.Len()
	s.show(p)
	if out.Len() != first {
		t.Errorf("the same picture wrote %d bytes more", out.Len()-first)
	}
	p.waiting--
	s.show(p)
	if lines := strings.Count(out.String()[first:], clearLine); lines != 1 {
		t.Errorf("one figure changed, and %d lines were written", lines)
	}
}

func TestGlyphs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		want glyphs
	}{
		"nothing is said":        {nil, unicodeGlyphs},
		"a UTF-8 locale":         {map[string]string{"LANG": "de_DE.UTF-8"}, unicodeGlyphs},
		"LC_ALL wins":            {map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, asciiGlyphs},
		"the kernel's terminal":  {map[string]string{"TERM": "linux", "LANG": "de_DE.UTF-8"}, asciiGlyphs},
		"a locale without UTF-8": {map[string]string{"LANG": "POSIX"}, asciiGlyphs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := glyphsFor(func(name string) string { return test.env[name] })
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// A chapter of any broker's story is told in one line of a small terminal, and promises nothing that the broker does not show.
func TestTheWordsOfEachStory(t *testing.T) {
	t.Parallel()
	for _, b := range brokers.All() {
		for i, c := range storyOn(b) {
			p := picture{broker: b.Name, chapter: heading{number: i + 1, of: len(storyOn(b)), title: c.title, text: c.text}}
			for _, line := range (renderer{glyphs: unicodeGlyphs}).lines(p, 80, 24)[:3] {
				if strings.HasSuffix(line, unicodeGlyphs.more) {
					t.Errorf("%s: %q is cut", b.Name, line)
				}
			}
			if b.HidesBusy && strings.Contains(c.title+c.text, "dle workers") {
				t.Errorf("%s does not show who is idle, and its story says %q", b.Name, c.title)
			}
		}
	}
}
