package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// columns is what the server must be asked about a table: it compares everything with everything, and a text with a number is
// often equal.
type columns struct {
	// charset is the one of the queue column.
	charset string
	// numbered is true where the state is a whole number.
	numbered bool
	// runAtUnix and createdAtUnix are true where the times are seconds since 1970, in whole numbers.
	runAtUnix, createdAtUnix bool
}

var (
	texts = regexp.MustCompile(`^((TINY|MEDIUM|LONG)?(TEXT|BLOB)|(VAR)?(CHAR|BINARY)|ENUM)$`)
	whole = regexp.MustCompile(`^(UNSIGNED )?(TINY|SMALL|MEDIUM|BIG)?INT$`)
	times = regexp.MustCompile(`^(DATETIME|TIMESTAMP|DATE)$`)
	// number is a state that is a whole number.
	number = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17})$`)
)

// learn asks what the columns of a table are. It finds a column that is not there, or that the user may not read.
func learn(ctx context.Context, over *connection, b sqlqueue.Block) (c columns, err error) {
	t := *b.Table
	var names, kinds []string
	for _, name := range []string{t.QueueColumn, t.StateColumn, t.LockedAtColumn, t.RunAtColumn, t.WorkerColumn, t.CreatedAtColumn} {
		if name != "" {
			names = append(names, quote(name))
		}
	}
	describe := fmt.Sprintf("SELECT %s FROM %s LIMIT 0", strings.Join(names, ", "), quote(t.Name))
	err = over.askPlainly(ctx, describe, 0, answer{columns: func(rows driver.Rows) error {
		typed, ok := rows.(driver.RowsColumnTypeDatabaseTypeName)
		if !ok || len(rows.Columns()) != len(names) {
			return errOdd
		}
		for i := range names {
			kinds = append(kinds, typed.ColumnTypeDatabaseTypeName(i))
		}
		return nil
	}, row: nothing})
	if err != nil {
		return c, err
	}
	charset := fmt.Sprintf("SELECT CHARSET(q.name) FROM (SELECT MAX(%s) AS name FROM %s WHERE FALSE) AS q", quote(t.QueueColumn), quote(t.Name))
	err = over.askPlainly(ctx, charset, 1, answer{row: func(values [][]byte) error {
		c.charset = string(values[0])
		return nil
	}})
	if err != nil {
		return c, err
	}
	err = c.check(t, func(name string) string { return kinds[slices.Index(names, quote(name))] })
	return c, err
}

func nothing([][]byte) error { return errOdd }

// check refuses columns that cannot be what they are named for.
func (c *columns) check(t sqlqueue.Table, kind func(string) string) error {
	if !texts.MatchString(kind(t.QueueColumn)) {
		return wrong("queueColumn", kind(t.QueueColumn), "a text")
	}
	if t.StateColumn != "" {
		state := kind(t.StateColumn)
		c.numbered = whole.MatchString(state)
		states := slices.Concat(t.WaitingStates, t.RunningStates)
		switch {
		case !c.numbered && !texts.MatchString(state):
			return wrong("stateColumn", state, "a text or a whole number")
		case c.numbered && slices.ContainsFunc(states, func(s string) bool { return !number.MatchString(s) }):
			return wrong("stateColumn", state, "a text, as its states are")
		}
	}
	for _, f := range []struct {
		field, name string
		unix        *bool
	}{{"runAtColumn", t.RunAtColumn, &c.runAtUnix}, {"createdAtColumn", t.CreatedAtColumn, &c.createdAtUnix}} {
		if f.name == "" {
			continue
		}
		*f.unix = whole.MatchString(kind(f.name))
		if !*f.unix && !times.MatchString(kind(f.name)) {
			return wrong(f.field, kind(f.name), "a DATETIME, a TIMESTAMP, or the seconds since 1970 as a whole number")
		}
	}
	return nil
}

func wrong(field, kind, needed string) error {
	return &broker.Error{Reason: broker.ReasonWrongType, Message: fmt.Sprintf("the type of table.%s is %s, and must be %s; use a view that converts it, or config.mysql.query", field, broker.ErrorWords(kind, broker.Secret{}), needed)}
}

// fits reports whether the queue column can have a name. A name that it cannot have would fail all other queues with it.
func (c columns) fits(name string) bool {
	most := '\u007f'
	switch c.charset {
	case "utf8mb4", "binary", "": // "" is no table of ours, but a query
		return true
	case "utf8mb3", "utf8", "ucs2":
		most = '\uffff'
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r > most })
}
