package examples

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rowTable is a table of jobs in a database, and the server that has it.
type rowTable interface {
	// push sends the tasks t-1 to t-n, of so many milliseconds each.
	push(t *testing.T, n, ms int)
	// states counts the rows by their states.
	states(t *testing.T) map[string]int
	Restart(ctx context.Context) error
	Kill() error
}

// rowStories are those of a worker whose jobs are rows.
var rowStories = []struct {
	name  string
	kills bool // the server, which is its own then
	play  func(*testing.T, *stage, rowTable)
}{
	{"kill -9 in the middle of a task", false, rowsSurvive},
	{"the server is killed under load", true, rowsSurviveTheServer},
	{"a task longer than its lease, done once", false, longerThanItsLease},
	{"a grant while busy", false, leaveTable((*pod).grant)},
	{"SIGTERM while busy", false, leaveTable((*pod).terminate)},
	{"a grant while the server is away", true, leaveWithoutDatabase},
}

func waitForNone(t *testing.T, rows rowTable) {
	t.Helper()
	eventually(t, "the table has no jobs", func() bool { return len(rows.states(t)) == 0 })
}

// rowsSurvive: what a worker had taken when it was killed, another does.
func rowsSurvive(t *testing.T, s *stage, table rowTable) {
	const tasks = 8
	table.push(t, tasks, 300)
	first := s.startPod(t)
	s.waitFor(t, "started t-3")
	first.kill(t)
	s.more = append(s.more, "POD_NAME="+podName+"-2") // another pod: the first is not to come back to its row
	second := s.startPod(t)
	waitForNone(t, table)
	second.grant(t)
	second.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func rowsSurviveTheServer(t *testing.T, s *stage, table rowTable) {
	const tasks = 8
	table.push(t, tasks, 300)
	p := s.startPod(t)
	s.waitFor(t, "started t-3")
	must(t, table.Restart(t.Context()))
	waitForNone(t, table)
	p.grant(t)
	p.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func longerThanItsLease(t *testing.T, s *stage, table rowTable) {
	table.push(t, 1, 7000)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	s.more = append(s.more, "POD_NAME="+podName+"-2")
	other := s.startPod(t)
	s.waitFor(t, "done t-1")
	waitForNone(t, table)
	p.grant(t)
	other.grant(t)
	p.waitForExit(t)
	other.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// leaveTable: the worker finishes its task, takes no other, and holds nothing.
func leaveTable(tell func(*pod, *testing.T)) func(*testing.T, *stage, rowTable) {
	return func(t *testing.T, s *stage, table rowTable) {
		table.push(t, 2, 1200)
		p := s.startPod(t)
		s.waitFor(t, "started t-1")
		tell(p, t)
		p.waitForExit(t)
		if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
			t.Errorf("events, -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int{"queued": 1}, table.states(t)); diff != "" {
			t.Errorf("jobs, -want +got:\n%s", diff)
		}
	}
}

func leaveWithoutDatabase(t *testing.T, s *stage, table rowTable) {
	p := s.startPod(t)
	must(t, table.Kill())
	p.waitForErrors(t, 2)
	p.grant(t)
	p.waitForExit(t)
}
