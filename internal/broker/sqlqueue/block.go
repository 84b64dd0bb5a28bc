// Package sqlqueue is what queues in tables have in common, whatever the database: the settings, which of them are refused,
// and what the rows of an answer mean. It is no driver: it knows no protocol and no dialect.
//
//	block.go    the block of a ScalerConfig, and what is wrong with one
//	query.go    which queries are refused
//	tally.go    the rows of an answer to a table; rows.go those of an answer to a query
//	holders.go  which worker a value of the worker column is
//	sift.go     each queue once, without those that cannot be
package sqlqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Block has the settings of a database, under the name of its type. Either Table or Query says where the messages are.
type Block struct {
	Database string `json:"database"`
	// Schema is the one of the table, where databases have those.
	Schema string `json:"schema"`
	Table  *Table `json:"table"`
	Query  string `json:"query"`
	// Channel rings the doorbell, where databases have those.
	Channel string `json:"channel"`
	// CountLimit is where counting ends, for each number of each queue.
	CountLimit int64 `json:"countLimit"`
}

// Table has the names of a table and its columns. A message waits, or is in flight, by its state, or by whether it is
// locked.
type Table struct {
	Name            string   `json:"name"`
	QueueColumn     string   `json:"queueColumn"`
	StateColumn     string   `json:"stateColumn"`
	WaitingStates   []string `json:"waitingStates"`
	RunningStates   []string `json:"runningStates"`
	LockedAtColumn  string   `json:"lockedAtColumn"`
	RunAtColumn     string   `json:"runAtColumn"`
	WorkerColumn    string   `json:"workerColumn"`
	CreatedAtColumn string   `json:"createdAtColumn"`
}

// The bounds of CountLimit, and what it is where it is not given.
const (
	defaultCountLimit = 10_000
	mostCountLimit    = 1_000_000
)

// Parse reads a block, fills in what is not given, and says what is wrong with it. The names of identifiers may be as long
// as the database allows.
func Parse(own json.RawMessage, kind string, longest int) (Block, error) {
	var b Block
	if len(own) == 0 {
		return b, fmt.Errorf("config.%s is missing; it names the database, and the table or the query", kind)
	}
	if err := json.Unmarshal(own, &b); err != nil {
		return b, fmt.Errorf("reading config.%s, %w", kind, err)
	}
	if b.CountLimit == 0 {
		b.CountLimit = defaultCountLimit
	}
	if err := b.check(longest); err != nil {
		return b, fmt.Errorf("config.%s is wrong, %w", kind, err)
	}
	return b, nil
}

func (b Block) check(longest int) error {
	switch {
	case b.Database == "" || len(b.Database) > longest:
		return fmt.Errorf("database must have 1 to %d bytes", longest)
	case b.CountLimit < 1 || b.CountLimit > mostCountLimit:
		return fmt.Errorf("countLimit must be 1 to %d", mostCountLimit)
	case (b.Table == nil) == (b.Query == ""):
		return errors.New("set exactly one of table and query")
	}
	for field, name := range map[string]string{"schema": b.Schema, "channel": b.Channel} {
		if err := checkName(field, name, longest, false); err != nil {
			return err
		}
	}
	if b.Table != nil {
		return b.Table.check(longest)
	}
	return checkQuery(b.Query)
}

func (t Table) check(longest int) error {
	for _, f := range []struct {
		field, name string
		needed      bool
	}{
		{"name", t.Name, true},
		{"queueColumn", t.QueueColumn, true},
		{"stateColumn", t.StateColumn, false},
		{"lockedAtColumn", t.LockedAtColumn, false},
		{"runAtColumn", t.RunAtColumn, false},
		{"workerColumn", t.WorkerColumn, false},
		{"createdAtColumn", t.CreatedAtColumn, false},
	} {
		if err := checkName("table."+f.field, f.name, longest, f.needed); err != nil {
			return err
		}
	}
	byState := t.StateColumn != ""
	switch {
	case byState == (t.LockedAtColumn != ""):
		return errors.New("set exactly one of table.stateColumn and table.lockedAtColumn")
	case byState != (len(t.WaitingStates) > 0), byState != (len(t.RunningStates) > 0):
		return errors.New("table.waitingStates and table.runningStates belong to table.stateColumn: set all three or none")
	}
	for _, state := range t.WaitingStates {
		if slices.Contains(t.RunningStates, state) {
			return fmt.Errorf("the state %q is in both table.waitingStates and table.runningStates", state)
		}
	}
	return nil
}

// name is what an identifier may be made of. It needs no quotes in any database but for its capitals.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkName(field, value string, longest int, needed bool) error {
	if value == "" && !needed {
		return nil
	}
	if !name.MatchString(value) || len(value) > longest {
		return fmt.Errorf("%s must be a name of 1 to %d letters, digits and underscores that begins with no digit", field, longest)
	}
	return nil
}

// Equal reports whether both say the same.
func (b Block) Equal(other Block) bool {
	one, another := b, other
	one.Table, another.Table = nil, nil
	return one == another && (b.Table == nil) == (other.Table == nil) && (b.Table == nil || b.Table.equal(*other.Table))
}

func (t Table) equal(other Table) bool {
	return slices.Equal(t.columns(), other.columns()) &&
		slices.Equal(t.WaitingStates, other.WaitingStates) && slices.Equal(t.RunningStates, other.RunningStates)
}

func (t Table) columns() []string {
	return []string{t.Name, t.QueueColumn, t.StateColumn, t.LockedAtColumn, t.RunAtColumn, t.WorkerColumn, t.CreatedAtColumn}
}
