package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// statement is one SELECT with its parameters, all as text.
type statement struct {
	sql    string
	values [][]byte
	// types are those of the parameters; 0 has the server take the one of the column that it is compared with.
	types []uint32
}

// Numbers of the server's types.
const (
	textArray = 1009
	bigint    = 20
	anyType   = 0
)

// longestWorker is how many characters are read of a worker's name: one more than a pod's name can have.
const longestWorker = 254

// quote makes an identifier of a name that was checked.
func quote(name string) string { return `"` + name + `"` }

// param adds a parameter, and is the place where it stands in the statement.
func (s *statement) param(value string, of uint32) string {
	s.values, s.types = append(s.values, []byte(value)), append(s.types, of)
	return "$" + strconv.Itoa(len(s.values))
}

// table makes statements about a table. Each queue has a count of its own that ends at the limit: the server reads no more
// rows for a queue than that.
type table struct{ sqlqueue.Block }

// each looks at the messages of each queue that meet a condition.
func (t table) each(queues, what, condition string) string {
	return fmt.Sprintf("FROM unnest(%s) WITH ORDINALITY AS q (name, i) CROSS JOIN LATERAL (\nSELECT %s FROM %s.%s AS m WHERE m.%s = q.name AND %s",
		queues, what, quote(t.Schema), quote(t.Table.Name), quote(t.Table.QueueColumn), condition)
}

// waiting is the condition of a message that waits.
func (t table) waiting(s *statement) string {
	condition := "m." + quote(t.Table.LockedAtColumn) + " IS NULL"
	if t.Table.StateColumn != "" {
		condition = "m." + quote(t.Table.StateColumn) + " = ANY (" + s.param(array(t.Table.WaitingStates), anyType) + ")"
	}
	if t.Table.RunAtColumn != "" {
		runAt := "m." + quote(t.Table.RunAtColumn)
		condition += fmt.Sprintf(" AND (%s IS NULL OR %s <= now())", runAt, runAt)
	}
	return condition
}

// running is the condition of a message that is in flight.
func (t table) running(s *statement) string {
	if t.Table.StateColumn != "" {
		return "m." + quote(t.Table.StateColumn) + " = ANY (" + s.param(array(t.Table.RunningStates), anyType) + ")"
	}
	return "m." + quote(t.Table.LockedAtColumn) + " IS NOT NULL"
}

// depths asks how many messages there are.
func (t table) depths(queries []broker.Query) statement {
	var s statement
	queues, limit := s.param(namesOf(queries), textArray), s.param(strconv.FormatInt(t.CountLimit, 10), bigint)
	waiting, running := t.waiting(&s), t.running(&s)
	counts := func(kind rune, condition string) string {
		return fmt.Sprintf("SELECT q.i, '%c', NULL::text, g.n %s LIMIT %s) AS c) AS g",
			kind, t.each(queues, "count(*) AS n FROM (SELECT 1", condition), limit)
	}
	parts := []string{counts(sqlqueue.Waiting, waiting), counts(sqlqueue.Running, running)}
	if t.Table.WorkerColumn != "" {
		what := fmt.Sprintf("c.worker, count(*) AS n FROM (SELECT left(m.%s::text, %d) AS worker", quote(t.Table.WorkerColumn), longestWorker)
		parts = append(parts, fmt.Sprintf("SELECT q.i, '%c', g.worker, g.n %s LIMIT %s) AS c GROUP BY c.worker LIMIT %d) AS g",
			sqlqueue.Held, t.each(queues, what, running), limit, sqlqueue.Groups(queries)))
	}
	s.sql = strings.Join(parts, "\nUNION ALL\n")
	return s
}

// ages asks how old the oldest waiting message of each queue is, in seconds.
func (t table) ages(queries []broker.Query) statement {
	var s statement
	what := fmt.Sprintf("extract(epoch FROM now() - min(m.%s)) AS age", quote(t.Table.CreatedAtColumn))
	s.sql = "SELECT q.i, a.age " + t.each(s.param(namesOf(queries), textArray), what, t.waiting(&s)) + ") AS a"
	return s
}

// parameter is the array of queues in a query of the user's.
var parameter = regexp.MustCompile(`\$1([^0-9]|$)`)

// checkParameter makes sure that a query asks for the queues.
func checkParameter(query string) error {
	if !parameter.MatchString(query) {
		return errors.New("config.postgres: query must use $1, which is the array of the queues' names, such as in WHERE queue = ANY ($1)")
	}
	return nil
}

// queryStatement runs a query of the user's. As a part of another it can be nothing but one SELECT, and the rows that are
// sent are bounded.
func queryStatement(query string, queries []broker.Query, most int) statement {
	s := statement{sql: fmt.Sprintf("SELECT * FROM (\n%s\n) AS q LIMIT %d", query, most)}
	s.param(namesOf(queries), textArray)
	return s
}

func namesOf(queries []broker.Query) string {
	names := make([]string, len(queries))
	for i, q := range queries {
		names[i] = q.Queue
	}
	return array(names)
}

// array is an array of texts, as the server reads it from a parameter.
func array(texts []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, c := range []byte(text) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
