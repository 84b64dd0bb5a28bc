package examples

import (
	"fmt"
	"testing"

	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

// mysqlTable is a table of jobs, and the server that has it.
type mysqlTable struct {
	*mysqlserver.Server
	database string
}

// TestMySQLWorker plays its stories against a real MariaDB.
func TestMySQLWorker(t *testing.T) {
	python, err := exampleworkers.PythonWith(t.Context(), "pymysql")
	must(t, err)
	shared := mysqlservertest.Start(t, mysqlserver.Options{})
	for i, story := range rowStories {
		table := mysqlTable{shared, fmt.Sprintf("story_%d", i)}
		if story.kills {
			table.Server = mysqlservertest.Start(t, mysqlserver.Options{})
		}
		mysqlservertest.Do(t, table.Server, "", "CREATE DATABASE "+table.database)
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			table.create(t)
			story.play(t, table.stage(t, python), table)
		})
	}
}

// create makes the table with the script of the example.
func (j mysqlTable) create(t *testing.T) {
	t.Helper()
	must(t, mysqlservertest.RunScript(mysqlservertest.Open(t, j.Server, j.database), "worker-mysql/schema.sql"))
}

func (j mysqlTable) stage(t *testing.T, python string) *stage {
	return &stage{
		command: []string{python, "worker-mysql/worker.py"}, queue: "tasks", address: j.Addr(), journal: &journal{t: t},
		more: []string{
			"MYSQL_HOST=127.0.0.1", fmt.Sprintf("MYSQL_PORT=%d", j.Port()), "MYSQL_DATABASE=" + j.database, "MYSQL_USER=" + mysqlserver.Admin,
			"LEASE_SECONDS=3",
		},
	}
}

// push sends the tasks t-1 to t-n, of so many milliseconds each.
func (j mysqlTable) push(t *testing.T, n, ms int) {
	t.Helper()
	db := mysqlservertest.Open(t, j.Server, j.database)
	_, err := db.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO jobs (queue, payload) SELECT 'tasks', CONCAT('{"id":"t-', seq, '","ms":%d}') FROM seq_1_to_%d`, ms, n))
	must(t, err)
}

// states counts the rows by their states.
func (j mysqlTable) states(t *testing.T) map[string]int {
	t.Helper()
	db := mysqlservertest.Open(t, j.Server, j.database)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), "SELECT state, count(*) FROM jobs GROUP BY state")
	must(t, err)
	defer func() { _ = rows.Close() }()
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
