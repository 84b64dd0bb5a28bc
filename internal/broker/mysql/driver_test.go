package mysql

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

// openBlock opens a driver with a block of settings, in which DB is the database.
func openBlock(t *testing.T, s *server, block string) (broker.Driver, error) {
	t.Helper()
	settings := s.Settings()
	settings.Own = json.RawMessage(strings.ReplaceAll(block, "DB", s.database))
	config, err := parse(settings)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), config.(Config), nil)
	if err == nil {
		t.Cleanup(d.Close)
	}
	return d, err
}

// read opens a driver with a block, and reads queues.
func readBlock(t *testing.T, s *server, block string, queues ...string) ([]broker.Answer, error) {
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
	answers, err := readBlock(t, s, block, queues...)
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

// statements runs each as the administrator.
func (s *server) statements(all ...string) {
	for _, one := range all {
		s.do(strings.ReplaceAll(strings.ReplaceAll(one, "DB", s.database), "USER", s.user))
	}
}

const lockedTable = `{"database":"DB","countLimit":5,"table":{"name":"Locked","queueColumn":"Queue","lockedAtColumn":"locked_at","createdAtColumn":"made"}}`

// Tables of other shapes: capitals, an enumeration as the state, numbers as states and times, a lock, a view, character sets.
func TestShapesOfTables(t *testing.T) {
	s := newServer(t)
	s.statements(
		"CREATE TABLE `Locked` (`Queue` varchar(40), locked_at int, made datetime)",
		"INSERT INTO `Locked` SELECT 'q', IF(seq > 3, 1, NULL), NOW() - INTERVAL 1 HOUR FROM seq_1_to_5",
		"INSERT INTO `Locked` SELECT 'long', NULL, NULL FROM seq_1_to_9",
		"CREATE TABLE e (queue text, state enum('new', 'tried', 'busy', 'done'))",
		"INSERT INTO e VALUES ('q', 'new'), ('q', 'tried'), ('q', 'busy'), ('q', 'done')",
		"CREATE TABLE n (queue varbinary(40), state smallint, at bigint unsigned, made int unsigned)",
		"INSERT INTO n VALUES ('q', 0, NULL, UNIX_TIMESTAMP() - 7200), ('q', 0, UNIX_TIMESTAMP() + 3600, 0), ('q', 0, UNIX_TIMESTAMP() - 3600, UNIX_TIMESTAMP()), ('q', 1, NULL, 0), ('Q', 0, NULL, UNIX_TIMESTAMP() + 60)",
		"CREATE VIEW v AS SELECT concat(queue, '!') AS queue, state FROM e",
		"CREATE TABLE l (queue varchar(40) CHARACTER SET latin1, locked_at int)",
		"INSERT INTO l VALUES ('q', NULL), ('?', NULL), ('Q', NULL)",
		"GRANT SELECT ON DB.* TO USER")
	enum := `{"database":"DB","table":{"name":"e","queueColumn":"queue","stateColumn":"state","waitingStates":["new","tried","unheard of"],"runningStates":["busy"]}}`
	numbers := `{"database":"DB","table":{"name":"n","queueColumn":"queue","stateColumn":"state","waitingStates":["0"],"runningStates":["1"],"runAtColumn":"at","createdAtColumn":"made"}}`
	for name, c := range map[string]struct{ block, queues, want string }{
		"by a lock":           {lockedTable, "q", "3+2"},
		"counting ends":       {lockedTable, "long q long", "5+0 3+2 5+0"},
		"an enumeration":      {enum, "q", "2+1"},
		"a view":              {strings.Replace(enum, `"e"`, `"v"`, 1), "q q!", "0+0 2+1"},
		"numbers, of the due": {numbers, "q Q", "2+1 1+0"},
		"a collation":         {strings.Replace(strings.Replace(lockedTable, "Locked", "l", 1), `,"createdAtColumn":"made"`, "", 1), "q Q ? ü", "2+0 2+0 1+0 " + `queue "ü" has characters that the column for queues may lack, whose character set is latin1; convert the column to utf8mb4`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, depthsOf(t, s, c.block, strings.Fields(c.queues)...)); diff != "" {
				t.Errorf("depths (-want +got):\n%s", diff)
			}
		})
	}
	for name, c := range map[string]struct {
		block  string
		queues []string
		hours  []int // -1 is unknown
	}{
		"times":   {lockedTable, []string{"q", "none", "long"}, []int{1, -1, -1}},
		"numbers": {numbers, []string{"q", "Q"}, []int{2, -1}}, // of a message of the future nothing is known
	} {
		d, err := openBlock(t, s, c.block)
		if err != nil {
			t.Fatal(err)
		}
		ages, err := d.(broker.AgeReader).OldestAges(t.Context(), c.queues)
		if err != nil {
			t.Fatal(err)
		}
		for i, hours := range c.hours {
			least := time.Duration(hours) * time.Hour
			if ages[i].Known != (hours >= 0) || ages[i].Known && (ages[i].D < least || ages[i].D > least+10*time.Minute) {
				t.Errorf("%s: the age of %s is %v, want %d hours", name, c.queues[i], ages[i], hours)
			}
		}
	}
}

const countQuery = `{"database":"DB","query":"SELECT queue, SUM(state = 'queued') AS waiting, SUM(state = 'running') AS in_flight%s FROM jobs WHERE queue IN (?) GROUP BY queue"}`

func TestQueries(t *testing.T) {
	s := newServer(t)
	odd := "it's \"b\" \\ `(?)` % 日本😀"
	s.Push("a", 3)
	s.Push(odd, 2)
	s.Take("a", broker.Worker{PodName: "p"}, 1)
	queues := []string{"a", "never", odd, "a", "nul\x00", "a"}
	const refused = `queue "nul" is no text: it must be UTF-8, without a NUL`
	for name, block := range map[string]string{"query": fmt.Sprintf(countQuery, ""), "table": s.block()} {
		if diff := cmp.Diff("2+1 0+0 2+0 2+1 "+refused+" 2+1", depthsOf(t, s, block, queues...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	d, err := openBlock(t, s, fmt.Sprintf(countQuery, ", TIMESTAMPDIFF(SECOND, MIN(created_at), NOW()) AS oldest_seconds"))
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
	for n := range 2 * mostPrepared { // each number of queues is a statement of its own
		if _, err := ageless.Depths(t.Context(), queriesOf(strings.Split("abcdefghijklmnopqrstuvwxyz"[:n+1], "")...)); err != nil {
			t.Fatal(err)
		}
	}
	if ages, err := ageless.(broker.AgeReader).OldestAges(t.Context(), []string{"a"}); err != nil || ages[0].Known {
		t.Errorf("the ages are %v, %v; want none", ages, err)
	}
}

// What writes is refused by the server, however it is written, and nothing is written.
func TestNothingIsWritten(t *testing.T) {
	s := newServer(t)
	s.Push("a", 3)
	s.statements("GRANT ALL ON DB.* TO USER", "CREATE TABLE made (n int)", "CREATE SEQUENCE counted",
		"CREATE FUNCTION ends(q text) RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM jobs WHERE queue = q; RETURN 1; END",
		"CREATE FUNCTION opens() RETURNS int BEGIN SET SESSION tx_read_only = 0; RETURN 1; END")
	const columns = "'a' AS queue, 1 AS waiting, 1 AS in_flight"
	for name, query := range map[string]string{
		"by a function":         "SELECT " + columns + ", ends('a') FROM jobs WHERE queue IN (?)",
		"by opening":            "SELECT " + columns + ", opens(), ends('a') FROM jobs WHERE queue IN (?)",
		"into a file":           "SELECT " + columns + " FROM jobs WHERE queue IN (?) INTO OUTFILE 'x'",
		"into a variable":       "SELECT " + columns + " INTO @x FROM jobs WHERE queue IN (?)",
		"a sequence":            "SELECT " + columns + ", nextval(counted) FROM jobs WHERE queue IN (?)",
		"a lock":                "SELECT " + columns + " FROM jobs WHERE queue IN (?) FOR UPDATE",
		"out of the brackets":   "SELECT " + columns + " FROM jobs WHERE queue IN (?)) AS x, (SELECT ends('a')",
		"in a string":           "SELECT " + columns + " FROM jobs WHERE queue IN (?) AND state <> '(?)'",
		"what never ends":       "SELECT " + columns + ", SLEEP(60) FROM jobs WHERE queue IN (?)",
		"rows without an end":   "SELECT seq AS queue, 1 AS waiting, 1 AS in_flight FROM seq_1_to_1000000 WHERE 'x' NOT IN (?)",
		"a row without an end":  "SELECT " + columns + ", REPEAT('x', 10000000) FROM jobs WHERE queue IN (?)",
		"a column that is huge": "SELECT REPEAT(queue, 100000) AS queue, 1 AS waiting, 1 AS in_flight FROM jobs WHERE queue IN (?)",
		"a time":                "SELECT " + columns + ", run_at FROM jobs WHERE queue IN (?) LIMIT 1",
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := json.Marshal(query)
			answers, err := readBlock(t, s, `{"database":"DB","query":`+string(text)+`}`, "a", "b")
			if err == nil {
				t.Errorf("it is answered: %+v", answers)
			}
			t.Log(err)
		})
	}
	// What a function has set in the session holds for no later transaction of ours.
	opens, err := openBlock(t, s, `{"database":"DB","query":"SELECT queue, opens() AS waiting, 1 AS in_flight FROM jobs WHERE queue IN (?) AND opens() GROUP BY queue"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opens.Depths(t.Context(), queriesOf("a")); err != nil {
		t.Fatal(err)
	}
	r := opens.(*reader)
	r.config.Block.Query = "SELECT queue, ends(queue) AS waiting, 1 AS in_flight FROM jobs WHERE queue IN (?)"
	if _, err := opens.Depths(t.Context(), queriesOf("a")); broker.ReasonOf(err) != broker.ReasonPermissionDenied {
		t.Errorf("a session that was opened writes: %v", err)
	}
	if got := depthsOf(t, s, s.block(), "a"); got != "3+0" {
		t.Errorf("the queue is %s now", got)
	}
}

// One user has the least rights that are needed: those that docs/brokers/mysql.md has.
func TestFailuresHaveTheirReasons(t *testing.T) {
	s := newServer(t)
	s.statements("CREATE TABLE secret (queue text, locked_at int, worker text)", "CREATE TABLE odd (queue int, locked_at int, state varchar(9), at double, n int)", "GRANT SELECT ON odd TO USER",
		"CREATE TABLE part (queue text, locked_at int, worker text)", "GRANT SELECT (queue, locked_at) ON part TO USER")
	table := func(fields string) string {
		return `{"database":"DB","table":{` + fields + `}}`
	}
	locked := `,"queueColumn":"queue","lockedAtColumn":"locked_at"`
	odd := `"name":"odd","queueColumn":"state"`
	for name, c := range map[string]struct {
		block  string
		change func(*broker.Settings)
		reason broker.Reason
		says   string
	}{
		"no such database":       {strings.Replace(s.block(), s.database, "none", 1), nil, broker.ReasonPermissionDenied, "config.mysql.database"},
		"a wrong password":       {s.block(), func(s *broker.Settings) { s.Password = broker.NewSecret("wrong") }, broker.ReasonAuthenticationFailed, "config.password"},
		"no such user":           {s.block(), func(s *broker.Settings) { s.Username = "nobody_here" }, broker.ReasonAuthenticationFailed, "config.username"},
		"no rights":              {table(`"name":"secret"` + locked), nil, broker.ReasonPermissionDenied, "grant the user SELECT"},
		"no rights on a column":  {table(`"name":"part","workerColumn":"worker"` + locked), nil, broker.ReasonPermissionDenied, "worker"},
		"no such table":          {table(`"name":"none"` + locked), nil, broker.ReasonPermissionDenied, "grant the user SELECT"}, // it may not know
		"no such column":         {table(`"name":"jobs"` + locked), nil, broker.ReasonNotFound, "locked_at"},
		"numbers as queues":      {table(`"name":"odd"` + locked), nil, broker.ReasonWrongType, "queueColumn"},
		"fractions as times":     {table(odd + `,"lockedAtColumn":"locked_at","runAtColumn":"at"`), nil, broker.ReasonWrongType, "runAtColumn"},
		"texts as times":         {table(odd + `,"lockedAtColumn":"locked_at","createdAtColumn":"state"`), nil, broker.ReasonWrongType, "createdAtColumn"},
		"words as numbers":       {table(odd + `,"stateColumn":"n","waitingStates":["a"],"runningStates":["1"]`), nil, broker.ReasonWrongType, "stateColumn"},
		"fractions as states":    {table(odd + `,"stateColumn":"at","waitingStates":["0"],"runningStates":["1"]`), nil, broker.ReasonWrongType, "stateColumn"},
		"no column of a query":   {`{"database":"DB","query":"SELECT queue, 1 AS waiting FROM jobs WHERE queue IN (?)"}`, nil, broker.ReasonNotFound, "in_flight"},
		"a query with an error":  {`{"database":"DB","query":"SELECT queue FROM WHERE queue IN (?)"}`, nil, broker.ReasonUnknown, "syntax"},
		"rows of two queues":     {`{"database":"DB","query":"SELECT 'a' AS queue, 1 AS waiting, 1 AS in_flight UNION ALL SELECT 'a', 2, 2 FROM DUAL WHERE 'a' IN (?)"}`, nil, broker.ReasonUnknown, "two rows"},
		"Redis":                  {s.block(), func(s *broker.Settings) { s.Port = fake(t, script{"-ERR unknown command\r\n"}, nil) }, broker.ReasonUnknown, "is it MySQL"},
		"NATS":                   {s.block(), func(s *broker.Settings) { s.Port = fake(t, script{"INFO {\"server_id\":\"N\"}\r\n"}, nil) }, broker.ReasonUnknown, "is it MySQL"},
		"one that waits":         {s.block(), func(s *broker.Settings) { s.Port = fake(t, script{""}, nil) }, broker.ReasonTimeout, "config.port"},
		"too many connections":   {s.block(), func(s *broker.Settings) { s.Port = refusing(t, 1040, "Too many connections") }, broker.ReasonConnectionRefused, "max_connections"},
		"a host that is blocked": {s.block(), func(s *broker.Settings) { s.Port = refusing(t, 1129, "Host '10.0.0.1' is blocked") }, broker.ReasonConnectionRefused, "FLUSH HOSTS"},
		"a host without a user":  {s.block(), func(s *broker.Settings) { s.Port = refusing(t, 1130, "Host '10.0.0.1' is not allowed") }, broker.ReasonAuthenticationFailed, "'qscaler'@'%'"},
		"TLS is required":        {s.block(), func(s *broker.Settings) { s.Port = refusingLater(t, 3159, "insecure") }, broker.ReasonTLSFailed, "set config.tls"},
		"an unknown database":    {s.block(), func(s *broker.Settings) { s.Port = refusingLater(t, 1049, "Unknown database") }, broker.ReasonNotFound, "config.mysql.database"},
		"words of its own":       {s.block(), func(s *broker.Settings) { s.Port = refusingLater(t, 4999, "first-of-all \x1b[31mand more") }, broker.ReasonUnknown, "refuses: *** [31mand more"},
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
			d, err := Open(t.Context(), config.(Config), nil)
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
	s.statements("GRANT SELECT ON DB.* TO USER")
	if _, err := readBlock(t, s, table(`"name":"none"`+locked), "a"); broker.ReasonOf(err) != broker.ReasonNotFound {
		t.Errorf("of a table that is not there, for who may know: %v", err)
	}
}

// refusing is a server that refuses in the place of its greeting, and refusingLater one that does after the login.
func refusing(t *testing.T, number uint16, why string) int32 {
	return fake(t, script{packet(0, "\xff"+string([]byte{byte(number), byte(number >> 8)})+why)}, nil)
}

func refusingLater(t *testing.T, number uint16, why string) int32 {
	return fake(t, script{welcome(pluginSHA2), packet(2, "\xff"+string([]byte{byte(number), byte(number >> 8)})+"#08004"+why)}, nil)
}

// A lock of a migration does not hold up the operator, and is no empty queue.
func TestALockedTable(t *testing.T) {
	s := newServer(t)
	s.Push("q", 3)
	d, err := openBlock(t, s, s.block())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLES jobs WRITE"); err != nil {
		t.Fatal(err)
	}
	answers, err := d.Depths(t.Context(), queriesOf("q"))
	if broker.ReasonOf(err) != broker.ReasonTimeout || !strings.Contains(err.Error(), "locked") {
		t.Errorf("%+v, %v; want that the table is locked", answers, err)
	}
	if _, err := lock.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if got := depthsOf(t, s, s.block(), "q"); got != "3+0" {
		t.Errorf("without the lock, the queue is %s", got)
	}
}

// A replica knows what was, and is not asked, also where it has become one while it was.
func TestAReplicaIsRefused(t *testing.T) {
	s := serverAt(t, mysqlservertest.Start(t, mysqlserver.Options{}), "app")
	s.Push("q", 3)
	for name, block := range map[string]string{"table": s.block(), "query": fmt.Sprintf(countQuery, "")} {
		if got := depthsOf(t, s, block, "q"); got != "3+0" {
			t.Fatalf("%s: the primary says %s", name, got)
		}
		d, err := openBlock(t, s, block)
		if err != nil {
			t.Fatal(err)
		}
		s.do("SET GLOBAL read_only = 1")
		for _, queues := range [][]string{{"q"}, nil} {
			answers, err := d.Depths(t.Context(), queriesOf(queues...))
			if broker.ReasonOf(err) != broker.ReasonReadOnly {
				t.Errorf("%s: %+v, %v; want %s", name, answers, err, broker.ReasonReadOnly)
			}
		}
		s.do("SET GLOBAL read_only = 0")
	}
}
