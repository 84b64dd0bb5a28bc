package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlainTellsEachThingOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	l := &plain{out: &out}
	p := picture{elapsed: time.Second, chapter: heading{number: 1, of: 6, title: "A burst", text: "Look."}}
	p.news = []news{{at: time.Second, from: fromStory, what: "LPUSH x4", why: "a producer pushes"}}
	l.show(p)
	l.show(p)
	p.elapsed += figuresEvery / 2
	p.waiting = 3 // too soon for figures alone
	l.show(p)
	p.elapsed += figuresEvery
	p.news = append(p.news, news{at: 2 * time.Second, what: "Create x4", why: "the queue asks for 4 workers"},
		news{at: 2 * time.Second, what: "GrantLeave", why: "the queue asks for 3 workers, 1 too many; it is idle", who: "4dd88v7dcr"},
		news{at: 2 * time.Second, from: fromDeployment, what: "a Deployment", why: "would stop bc8kgp9zbg in the middle of t-3"},
		news{at: 3 * time.Second, from: fromWorker, what: "has left", why: "on its grant (ScaleDown); tasks done: 5", who: "4dd88v7dcr"})
	l.show(p)
	want := strings.Join([]string{
		"",
		" 0:01  == 1 of 6: A burst. Look.",
		" 0:01  story     LPUSH x4            a producer pushes",
		" 0:01            waiting 0, in flight 0, desired 0, current 0 of 0, draining 0 of 0, at work 0 of 0, done 0 of 0 tasks",
		" 0:02  operator  Create x4           the queue asks for 4 workers",
		" 0:02  operator  GrantLeave          the queue asks for 3 workers, 1 too many; it is idle (4dd88v7dcr)",
		" 0:02  instead   a Deployment        would stop bc8kgp9zbg in the middle of t-3",
		" 0:03  worker    has left            on its grant (ScaleDown); tasks done: 5 (4dd88v7dcr)",
		" 0:02            waiting 3, in flight 0, desired 0, current 0 of 0, draining 0 of 0, at work 0 of 0, done 0 of 0 tasks",
		"",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
