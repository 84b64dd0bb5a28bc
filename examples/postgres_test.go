package examples

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

// jobTable is a table of jobs, and the server that has it.
type jobTable struct {
	*postgresserver.Server
	database string
}

// TestPostgresWorker plays its stories against a real PostgreSQL.
func TestPostgresWorker(t *testing.T) {
	python, err := exampleworkers.PythonWith(t.Context(), "psycopg")
	must(t, err)
	shared := postgresservertest.Start(t, postgresserver.Options{})
	stories := []struct {
		name  string
		kills bool // the server, which is its own then
		play  func(*testing.T, *stage, jobTable)
	}{
		{"kill -9 in the middle of a task", false, rowsSurvive},
		{"the server is killed under load", true, rowsSurviveTheServer},
		{"a task longer than its lease, done once", false, longerThanItsLease},
		{"a grant while busy", false, leaveTable((*pod).grant)},
		{"SIGTERM while busy", false, leaveTable((*pod).terminate)},
		{"a grant while the server is away", true, leaveWithoutDatabase},
	}
	for i, story := range stories {
		table := jobTable{shared, fmt.Sprintf("story_%d", i)}
		if story.kills {
			table.Server = postgresservertest.Start(t, postgresserver.Options{})
		}
		postgresservertest.Do(t, table.Server, postgresserver.Admin, "CREATE DATABASE "+table.database)
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			table.create(t)
			story.play(t, table.stage(t, python), table)
		})
	}
}

// create makes the table with the script of the example.
func (j jobTable) create(t *testing.T) {
	t.Helper()
	must(t, postgresservertest.RunScript(postgresservertest.Connect(t, j.Server, j.database), "worker-postgres/schema.sql"))
}

func (j jobTable) stage(t *testing.T, python string) *stage {
	return &stage{
		command: []string{python, "worker-postgres/worker.py"}, queue: "tasks", address: j.Addr(), journal: &journal{t: t},
		more: []string{
			fmt.Sprintf("QSCALER_BROKER_URL=postgresql://%s@%s/%s?sslmode=disable", postgresserver.Admin, j.Addr(), j.database),
			"LEASE_SECONDS=3",
		},
	}
}

// push sends the tasks t-1 to t-n, of so many milliseconds each.
func (j jobTable) push(t *testing.T, n, ms int) {
	t.Helper()
	conn := postgresservertest.Connect(t, j.Server, j.database)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err := conn.Exec(t.Context(), `INSERT INTO jobs (queue, payload) SELECT 'tasks', '{"id":"t-' || i || '","ms":' || $2::int || '}' FROM generate_series(1, $1::int) i`, n, ms)
	must(t, err)
}

// states counts the rows by their states.
func (j jobTable) states(t *testing.T) map[string]int {
	t.Helper()
	conn := postgresservertest.Connect(t, j.Server, j.database)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), "SELECT state, count(*) FROM jobs GROUP BY state")
	must(t, err)
	counts := map[string]int{}
	for rows.Next() {
		var (
			state string
			n     int
		)
		must(t, rows.Scan(&state, &n))
		counts[state] = n
	}
	must(t, rows.Err())
	return counts
}

func (j jobTable) waitForNone(t *testing.T) {
	t.Helper()
	eventually(t, "the table has no jobs", func() bool { return len(j.states(t)) == 0 })
}

// rowsSurvive: what a worker had taken when it was killed, another does.
func rowsSurvive(t *testing.T, s *stage, table jobTable) {
	const tasks = 8
	table.push(t, tasks, 300)
	first := s.startPod(t)
	s.waitFor(t, "started t-3")
	first.kill(t)
	s.more = append(s.more, "POD_NAME="+podName+"-2") // another pod: the first is not to come back to its row
	second := s.startPod(t)
	table.waitForNone(t)
	second.grant(t)
	second.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func rowsSurviveTheServer(t *testing.T, s *stage, table jobTable) {
	const tasks = 8
	table.push(t, tasks, 300)
	p := s.startPod(t)
	s.waitFor(t, "started t-3")
	must(t, table.Restart(t.Context()))
	table.waitForNone(t)
	p.grant(t)
	p.waitForExit(t)
	doneAtLeastOnce(t, s, tasks)
}

func longerThanItsLease(t *testing.T, s *stage, table jobTable) {
	table.push(t, 1, 7000)
	p := s.startPod(t)
	s.waitFor(t, "started t-1")
	s.more = append(s.more, "POD_NAME="+podName+"-2")
	other := s.startPod(t)
	s.waitFor(t, "done t-1")
	table.waitForNone(t)
	p.grant(t)
	other.grant(t)
	p.waitForExit(t)
	other.waitForExit(t)
	if diff := cmp.Diff([]string{"started t-1", "done t-1"}, s.journal.events()); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

// leaveTable: the worker finishes its task, takes no other, and holds nothing.
func leaveTable(tell func(*pod, *testing.T)) func(*testing.T, *stage, jobTable) {
	return func(t *testing.T, s *stage, table jobTable) {
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

func leaveWithoutDatabase(t *testing.T, s *stage, table jobTable) {
	p := s.startPod(t)
	must(t, table.Kill())
	p.waitForErrors(t, 2)
	p.grant(t)
	p.waitForExit(t)
}
