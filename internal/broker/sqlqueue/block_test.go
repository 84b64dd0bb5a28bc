package sqlqueue

import (
	"encoding/json"
	"strings"
	"testing"
)

const longest = 63

func TestBlocks(t *testing.T) {
	locked := `{"name":"jobs","queueColumn":"queue","lockedAtColumn":"locked_at"}`
	states := `"name":"jobs","queueColumn":"queue","stateColumn":"state"`
	table := func(table string) string { return `{"database":"app","table":` + table + `}` }
	query := func(query string) string {
		text, _ := json.Marshal(query)
		return `{"database":"app","query":` + string(text) + `}`
	}
	cases := map[string]struct{ own, says string }{
		"a table":                 {table(locked), ""},
		"a table by state":        {table(`{` + states + `,"waitingStates":["a"],"runningStates":["b"]}`), ""},
		"a query":                 {query("SELECT 1"), ""},
		"a query with a CTE":      {query("\n with x AS (SELECT 1) SELECT * FROM x"), ""},
		"nothing":                 {"", "config.mydb is missing"},
		"no JSON":                 {"{", "reading config.mydb"},
		"no database":             {`{"table":` + locked + `}`, "database must have 1 to 63 bytes"},
		"a long database":         {`{"database":"` + strings.Repeat("x", 64) + `","table":` + locked + `}`, "database must have"},
		"both":                    {`{"database":"app","query":"SELECT 1","table":` + locked + `}`, "exactly one of table and query"},
		"neither":                 {`{"database":"app"}`, "exactly one of table and query"},
		"a limit of -1":           {`{"database":"app","countLimit":-1,"table":` + locked + `}`, "countLimit must be"},
		"a limit that is huge":    {`{"database":"app","countLimit":1000001,"table":` + locked + `}`, "countLimit must be"},
		"a channel with a quote":  {`{"database":"app","channel":"a\"b","table":` + locked + `}`, "channel must be a name"},
		"a schema with a dot":     {`{"database":"app","schema":"a.b","table":` + locked + `}`, "schema must be a name"},
		"no name of the table":    {table(`{"queueColumn":"queue","lockedAtColumn":"l"}`), "table.name must be"},
		"no queue":                {table(`{"name":"jobs","lockedAtColumn":"l"}`), "table.queueColumn must be"},
		"a name that is too long": {table(`{"name":"` + strings.Repeat("x", 64) + `","queueColumn":"q","lockedAtColumn":"l"}`), "table.name must be"},
		"a column that ends":      {table(`{"name":"jobs","queueColumn":"queue","lockedAtColumn":"l IS NULL --"}`), "table.lockedAtColumn must be"},
		"neither state nor lock":  {table(`{"name":"jobs","queueColumn":"queue"}`), "exactly one of table.stateColumn"},
		"state and lock":          {table(`{` + states + `,"waitingStates":["a"],"runningStates":["b"],"lockedAtColumn":"l"}`), "exactly one of table.stateColumn"},
		"no running states":       {table(`{` + states + `,"waitingStates":["a"]}`), "belong to table.stateColumn"},
		"states without a column": {table(`{"name":"jobs","queueColumn":"queue","lockedAtColumn":"l","waitingStates":["a"]}`), "belong to table.stateColumn"},
		"a state of both":         {table(`{` + states + `,"waitingStates":["a","b"],"runningStates":["b"]}`), `the state "b" is in both`},
		"no SELECT":               {query("DELETE FROM jobs"), "must begin with SELECT"},
		"a longer word":           {query("SELECTION"), "must begin with SELECT"},
		"two statements":          {query("SELECT 1; DELETE FROM jobs"), "no semicolon"},
		"a comment":               {query("SELECT 1 -- x"), "no comment"},
		"another comment":         {query("SELECT /* x */ 1"), "no comment"},
		"a NUL":                   {query("SELECT '\x00'"), "no NUL"},
		"a query without an end":  {query("SELECT " + strings.Repeat("1,", 5000) + "1"), "may have 8192"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, err := Parse(json.RawMessage(c.own), "mydb", longest)
			if (c.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("error %v, want %q", err, c.says)
			}
			if err == nil && b.CountLimit != defaultCountLimit {
				t.Errorf("the block is %+v", b)
			}
		})
	}
}

func TestBlocksThatDiffer(t *testing.T) {
	parse := func(own string) Block {
		t.Helper()
		b, err := Parse(json.RawMessage(own), "mydb", longest)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const first = `{"database":"app","table":{"name":"jobs","queueColumn":"queue","stateColumn":"s","waitingStates":["a"],"runningStates":["b"]}}`
	for _, change := range [][2]string{
		{`"app"`, `"other"`}, {`"jobs"`, `"other"`}, {`"queue"`, `"other"`}, {`["a"]`, `["c"]`}, {`["b"]`, `["c"]`},
		{`"database"`, `"countLimit":7,"database"`}, {`"name"`, `"workerColumn":"w","name"`},
	} {
		if other := parse(strings.Replace(first, change[0], change[1], 1)); parse(first).Equal(other) || other.Equal(parse(first)) {
			t.Errorf("%s is taken for %s", change[1], change[0])
		}
	}
	if !parse(first).Equal(parse(first)) {
		t.Error("a block is not equal to itself")
	}
	if other := parse(`{"database":"app","query":"SELECT 1"}`); parse(first).Equal(other) || other.Equal(parse(first)) {
		t.Error("a query is taken for a table")
	}
}
