package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

func silent(...string) {}

// openBlock opens a driver with a block of settings, in which DB is the database.
func openBlock(t *testing.T, s *server, block string) (broker.Driver, error) {
	t.Helper()
	settings := s.Settings()
	settings.Own = json.RawMessage(strings.ReplaceAll(block, "DB", s.database))
	config, err := parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), config.(Config), silent)
	if err == nil {
		t.Cleanup(d.Close)
	}
	return d, err
}

// read opens a driver with a block, and reads queues.
func read(t *testing.T, s *server, block string, queues ...string) ([]broker.Answer, error) {
	t.Helper()
	d, err := openBlock(t, s, block)
	if err != nil {
		return nil, err
	}
	return d.Depths(t.Context(), queriesOf(queues...))
}

func queriesOf(queues ...string) (queries []broker.Query) {
	for _, queue := range queues {
		queries = append(queries, broker.Query{Queue: queue})
	}
	return queries
}

// depthsOf reads queues, which must succeed, and writes down what waits and what is in flight.
func depthsOf(t *testing.T, s *server, block string, queues ...string) string {
	t.Helper()
	answers, err := read(t, s, block, queues...)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, a := range answers {
		inFlight := "?"
		if a.Depth.InFlight.Known {
			inFlight = fmt.Sprint(a.Depth.InFlight.N)
		}
		if said = append(said, fmt.Sprintf("%d+%s", a.Depth.Waiting.N, inFlight)); a.Err != nil {
			said[len(said)-1] = a.Err.Error()
		}
	}
	return strings.Join(said, " ")
}

const lockedTable = `{"database":"DB","countLimit":5,"schema":"Other","table":{"name":"Jobs","queueColumn":"Queue","lockedAtColumn":"locked_at","createdAtColumn":"made"}}`

// Tables of other shapes: capitals, an enumeration as the state, numbers as states, a lock, a view.
func TestShapesOfTables(t *testing.T) {
	s := newServer(t)
	postgresservertest.Do(t, s.Server, s.database,
		`CREATE SCHEMA "Other"`, `CREATE TABLE "Other"."Jobs" ("Queue" varchar(40), locked_at timestamp, made timestamp)`,
		`INSERT INTO "Other"."Jobs" SELECT 'q', CASE WHEN i > 3 THEN now() AT TIME ZONE 'UTC' END, now() AT TIME ZONE 'UTC' - interval '1 hour' FROM generate_series(1, 5) i`,
		`INSERT INTO "Other"."Jobs" SELECT 'long' FROM generate_series(1, 9) i`,
		`CREATE TYPE state AS ENUM ('new', 'tried', 'busy', 'done')`, `CREATE TABLE e (queue text, state state)`,
		`INSERT INTO e VALUES ('q', 'new'), ('q', 'tried'), ('q', 'busy'), ('q', 'done')`,
		`CREATE TABLE n (queue text, state smallint, at timestamptz)`,
		`INSERT INTO n VALUES ('q', 0, NULL), ('q', 0, now() + interval '1 hour'), ('q', 0, now() - interval '1 hour'), ('q', 1, NULL)`,
		`CREATE VIEW v AS SELECT queue::text || '!' AS queue, state FROM e`,
		`GRANT USAGE ON SCHEMA "Other" TO `+s.user, `GRANT SELECT ON "Other"."Jobs", e, n, v TO `+s.user)
	enum := `{"database":"DB","table":{"name":"e","queueColumn":"queue","stateColumn":"state","waitingStates":["new","tried"],"runningStates":["busy"]}}`
	for name, c := range map[string]struct{ block, queues, want string }{
		"by a lock":           {lockedTable, "q", "3+2"},
		"counting ends":       {lockedTable, "long q long", "5+0 3+2 5+0"},
		"an enumeration":      {enum, "q", "2+1"},
		"a view":              {strings.Replace(enum, `"e"`, `"v"`, 1), "q q!", "0+0 2+1"},
		"numbers, of the due": {`{"database":"DB","table":{"name":"n","queueColumn":"queue","stateColumn":"state","waitingStates":["0"],"runningStates":["1"],"runAtColumn":"at"}}`, "q", "2+1"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, depthsOf(t, s, c.block, strings.Fields(c.queues)...)); diff != "" {
				t.Errorf("depths (-want +got):\n%s", diff)
			}
		})
	}
	d, err := openBlock(t, s, lockedTable)
	if err != nil {
		t.Fatal(err)
	}
	ages, err := d.(broker.AgeReader).OldestAges(t.Context(), []string{"q", "none", "long"})
	if err != nil || !ages[0].Known || ages[0].D < time.Hour || ages[0].D > time.Hour+10*time.Minute || ages[1].Known || ages[2].Known {
		t.Errorf("the ages are %v, %v; want an hour and none", ages, err)
	}
}

const countQuery = `{"database":"DB","query":"SELECT queue, count(*) FILTER (WHERE state = 'queued') AS waiting, count(*) FILTER (WHERE state = 'running') AS in_flight%s FROM jobs WHERE queue = ANY ($1) GROUP BY queue"}`

func TestQueries(t *testing.T) {
	s := newServer(t)
	s.Push("a", 3)
	s.Push("it's \"b\" \\ {,} $1", 2)
	s.Take("a", broker.Worker{PodName: "p"}, 1)
	queues := []string{"a", "never", "it's \"b\" \\ {,} $1", "a", "nul\x00", "a"}
	const refused = `queue "nul" is no text: it must be UTF-8, without a NUL`
	for name, block := range map[string]string{"query": fmt.Sprintf(countQuery, ""), "table": s.block()} {
		if diff := cmp.Diff("2+1 0+0 2+0 2+1 "+refused+" 2+1", depthsOf(t, s, block, queues...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d, err := openBlock(t, s, fmt.Sprintf(countQuery, ", extract(epoch FROM now() - min(created_at)) AS oldest_seconds"))
	if err != nil {
		t.Fatal(err)
	}
	ages, err := d.(broker.AgeReader).OldestAges(t.Context(), []string{"a", "never"})
	if err != nil || !ages[0].Known || ages[0].D > time.Minute || ages[1].Known {
		t.Errorf("the ages are %v, %v; want one of a", ages, err)
	}
	ageless, err := openBlock(t, s, fmt.Sprintf(countQuery, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ageless.Depths(t.Context(), queriesOf("a")); err != nil {
		t.Fatal(err)
	}
	if ages, err := ageless.(broker.AgeReader).OldestAges(t.Context(), []string{"a"}); err != nil || ages[0].Known {
		t.Errorf("the ages are %v, %v; want none", ages, err)
	}
}

// What writes is refused by the server, however it is written, and nothing is written.
func TestNothingIsWritten(t *testing.T) {
	s := newServer(t)
	s.Push("a", 3)
	postgresservertest.Do(t, s.Server, s.database, "GRANT ALL ON ALL TABLES IN SCHEMA public TO "+s.user, "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "+s.user, "GRANT CREATE ON SCHEMA public TO "+s.user,
		"CREATE FUNCTION ends(q text) RETURNS bigint LANGUAGE sql AS 'DELETE FROM jobs WHERE queue = q RETURNING id'",
		"CREATE FUNCTION opens() RETURNS text LANGUAGE sql AS $$ SELECT set_config('transaction_read_only', 'off', false) $$")
	const columns = "'a'::text AS queue, 1 AS waiting, 1 AS in_flight"
	for name, query := range map[string]string{
		"in a CTE":              "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT " + columns + " WHERE $1::text[] IS NOT NULL",
		"by a function":         "SELECT " + columns + ", ends(n) FROM unnest($1) AS n",
		"by opening":            "SELECT " + columns + ", opens(), ends(n) FROM unnest($1) AS n",
		"into a table":          "SELECT " + columns + " INTO made FROM unnest($1)",
		"a sequence":            "SELECT " + columns + ", nextval('jobs_id_seq') FROM unnest($1)",
		"a lock":                "SELECT queue, 1 AS waiting, 1 AS in_flight FROM jobs WHERE queue = ANY ($1) FOR UPDATE",
		"out of the brackets":   "SELECT " + columns + " FROM unnest($1)) AS x, (SELECT ends('a')",
		"more parameters":       "SELECT " + columns + " FROM unnest($1) WHERE $2",
		"what never ends":       "SELECT " + columns + ", pg_sleep(60) FROM unnest($1)",
		"rows without an end":   "SELECT n::text AS queue, 1 AS waiting, 1 AS in_flight FROM generate_series(1, 100000000) n WHERE $1::text[] IS NOT NULL",
		"a row without an end":  "SELECT n AS queue, 1 AS waiting, 1 AS in_flight, repeat('x', 100000000) FROM unnest($1) n",
		"a column that is huge": "SELECT repeat(n, 1000000) AS queue, 1 AS waiting, 1 AS in_flight FROM unnest($1) n",
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := json.Marshal(query)
			answers, err := read(t, s, `{"database":"DB","query":`+string(text)+`}`, "a", "b")
			if err == nil {
				t.Errorf("it is answered: %+v", answers)
			}
			t.Log(err)
		})
	}
	if got := depthsOf(t, s, s.block(), "a"); got != "3+0" {
		t.Errorf("the queue is %s now", got)
	}
}

// One user has the least rights that are needed: those that docs/brokers/postgres.md has.
func TestFailuresHaveTheirReasons(t *testing.T) {
	s := newServer(t)
	postgresservertest.Do(t, s.Server, s.database, "CREATE TABLE secret (queue text, locked_at int, worker text)", "CREATE SCHEMA hidden", "CREATE TABLE hidden.jobs (queue text, locked_at int)",
		"CREATE TABLE odd (queue int, locked_at int, state text, at int)", "GRANT SELECT ON odd TO "+s.user)
	table := func(fields string) string {
		return `{"database":"DB","table":{` + fields + `,"queueColumn":"queue"}}`
	}
	locked := `"lockedAtColumn":"locked_at"`
	for name, c := range map[string]struct {
		block  string
		change func(*broker.Settings)
		reason broker.Reason
		says   string
	}{
		"no such database":      {strings.Replace(s.block(), s.database, "none", 1), nil, broker.ReasonNotFound, "config.postgres.database"},
		"no such user":          {s.block(), func(s *broker.Settings) { s.Username = "nobody_here" }, broker.ReasonAuthenticationFailed, "config.username"},
		"no such table":         {table(`"name":"none",` + locked), nil, broker.ReasonNotFound, "create the table"},
		"no such schema":        {strings.Replace(s.block(), `"channel"`, `"schema":"none","channel"`, 1), nil, broker.ReasonNotFound, "config.postgres.schema"},
		"no such column":        {table(`"name":"jobs",` + locked), nil, broker.ReasonNotFound, "locked_at"},
		"no rights":             {table(`"name":"secret",` + locked), nil, broker.ReasonPermissionDenied, "grant the user USAGE on the schema and SELECT"},
		"no rights, by schema":  {strings.Replace(table(`"name":"jobs",`+locked), `"table"`, `"schema":"hidden","table"`, 1), nil, broker.ReasonPermissionDenied, "USAGE"},
		"numbers as queues":     {table(`"name":"odd",` + locked), nil, broker.ReasonWrongType, "cast"},
		"numbers as times":      {`{"database":"DB","table":{"name":"odd","queueColumn":"state","runAtColumn":"at",` + locked + `}}`, nil, broker.ReasonWrongType, "cast"},
		"words as numbers":      {`{"database":"DB","table":{"name":"odd","queueColumn":"state","stateColumn":"at","waitingStates":["a"],"runningStates":["b"]}}`, nil, broker.ReasonWrongType, "type"},
		"a query of no table":   {`{"database":"DB","query":"SELECT $1, 1 AS waiting FROM nowhere"}`, nil, broker.ReasonNotFound, "nowhere"},
		"no column of a query":  {`{"database":"DB","query":"SELECT queue, 1 AS waiting FROM jobs WHERE queue = ANY ($1)"}`, nil, broker.ReasonNotFound, "in_flight"},
		"a query with an error": {`{"database":"DB","query":"SELECT $1 FROM"}`, nil, broker.ReasonUnknown, "syntax error"},
		"rows of two queues":    {`{"database":"DB","query":"SELECT 'a' AS queue, 1 AS waiting, 1 AS in_flight FROM unnest($1)"}`, nil, broker.ReasonUnknown, "two rows"},
		"Redis":                 {s.block(), func(s *broker.Settings) { s.Port = fake(t, "-ERR unknown command\r\n") }, broker.ReasonUnknown, "is it PostgreSQL?"},
		"MySQL":                 {s.block(), func(s *broker.Settings) { s.Port = fake(t, "J\x00\x00\x00\x0a5.5.5-10.11.14-MariaDB\x00") }, broker.ReasonUnknown, "is it PostgreSQL?"},
		"a password in clear":   {s.block(), func(s *broker.Settings) { s.Port = fake(t, "R\x00\x00\x00\x08\x00\x00\x00\x03") }, broker.ReasonTLSFailed, "set config.tls"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := s.Settings()
			settings.Own = json.RawMessage(strings.ReplaceAll(c.block, "DB", s.database))
			if c.change != nil {
				c.change(&settings)
			}
			config, err := parse(settings)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(t.Context(), config.(Config), silent)
			var answers []broker.Answer
			if err == nil {
				defer d.Close()
				answers, err = d.Depths(t.Context(), queriesOf("a", "b"))
			}
			if err == nil {
				t.Fatalf("there is no error: %+v", answers)
			}
			if broker.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v; want %s, which says %q", broker.ReasonOf(err), err, c.reason, c.says)
			}
		})
	}
}

// A lock of a migration does not hold up the operator, and is no empty queue.
func TestALockedTable(t *testing.T) {
	s := newServer(t)
	s.Push("q", 3)
	d, err := openBlock(t, s, s.block())
	if err != nil {
		t.Fatal(err)
	}
	s.do("BEGIN")
	s.do("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
	answers, err := d.Depths(t.Context(), queriesOf("q"))
	if broker.ReasonOf(err) != broker.ReasonTimeout || !strings.Contains(err.Error(), "locked") {
		t.Errorf("%+v, %v; want that the table is locked", answers, err)
	}
	s.do("COMMIT")
	if got := depthsOf(t, s, s.block(), "q"); got != "3+0" {
		t.Errorf("without the lock, the queue is %s", got)
	}
}

// A standby knows what was, and is not asked.
func TestAStandbyIsRefused(t *testing.T) {
	standby := postgresservertest.Start(t, postgresserver.Options{})
	s := serverAt(t, standby, "postgres")
	s.Push("q", 3)
	if got := depthsOf(t, s, s.block(), "q"); got != "3+0" {
		t.Fatalf("the primary says %s", got)
	}
	d, err := openBlock(t, s, s.block())
	if err != nil {
		t.Fatal(err)
	}
	if err := standby.Demote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Depths(t.Context(), queriesOf("q")); err == nil {
		t.Error("a connection has survived the server")
	}
	answers, err := read(t, s, s.block(), "q")
	if broker.ReasonOf(err) != broker.ReasonReadOnly {
		t.Errorf("%+v, %v; want %s", answers, err, broker.ReasonReadOnly)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := depthsOf(t, s, s.block(), "q"); got != "3+0" {
		t.Errorf("once promoted, it says %s", got)
	}
}
