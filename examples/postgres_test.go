package examples

import (
	"context"
	"fmt"
	"testing"

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
	t.Parallel()
	python, err := exampleworkers.PythonWith(t.Context(), "psycopg")
	must(t, err)
	shared := postgresservertest.Start(t, postgresserver.Options{})
	for i, story := range rowStories {
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
