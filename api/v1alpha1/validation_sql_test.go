package v1alpha1_test

const smallPostgresConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: small
spec:
  type: postgres
  config:
    host: postgres
    username: qscaler
    postgres:
      database: app
      table: {name: jobs, queueColumn: queue, lockedAtColumn: locked_at}
`

var postgresConfigCases = map[string]validationCase{
	"the least":                         {path: "spec.config.port", value: `5432`},
	"a password":                        {path: "spec.config.password", value: `{secret: {name: s, key: k}}`},
	"no username":                       {path: "spec.config.username", want: notOfPostgres},
	"workers of another user":           {path: "spec.config.worker", value: `{username: app}`},
	"workers of no user":                {path: "spec.config.worker", value: `{password: {value: hush}}`, want: notOfPostgres},
	"no block":                          {path: "spec.config.postgres", want: notOfPostgres},
	"a numbered database":               {path: "spec.config.database", value: `0`, want: notOfPostgres},
	"no database":                       {path: "spec.config.postgres.database", want: `spec.config.postgres.database: Required value`},
	"a schema and a channel":            {path: "spec.config.postgres.channel", value: `new_jobs`},
	"a channel that is no name":         {path: "spec.config.postgres.channel", value: `"jobs; DROP"`, want: `spec.config.postgres.channel: Invalid value: "jobs; DROP": spec.config.postgres.channel in body should match '^[A-Za-z_][A-Za-z0-9_]*$'`},
	"a limit of 0":                      {path: "spec.config.postgres.countLimit", value: `0`, want: `spec.config.postgres.countLimit: Invalid value: 0: spec.config.postgres.countLimit in body should be greater than or equal to 1`},
	"table and query":                   {path: "spec.config.postgres.query", value: `SELECT $1`, want: `spec.config.postgres: Invalid value: postgres must have exactly one of table and query`},
	"neither table nor query":           {path: "spec.config.postgres.table", want: `spec.config.postgres: Invalid value: postgres must have exactly one of table and query`},
	"no queue column":                   {path: "spec.config.postgres.table.queueColumn", want: `spec.config.postgres.table.queueColumn: Required value`},
	"a table that is no name":           {path: "spec.config.postgres.table.name", value: `'jobs" --'`, want: `spec.config.postgres.table.name: Invalid value: "jobs\" --": spec.config.postgres.table.name in body should match '^[A-Za-z_][A-Za-z0-9_]*$'`},
	"neither state nor lock":            {path: "spec.config.postgres.table.lockedAtColumn", want: `spec.config.postgres.table: Invalid value: table must have exactly one of stateColumn and lockedAtColumn`},
	"state and lock":                    {path: "spec.config.postgres.table", value: `{name: j, queueColumn: q, lockedAtColumn: l, stateColumn: s, waitingStates: [a], runningStates: [b]}`, want: `spec.config.postgres.table: Invalid value: table must have exactly one of stateColumn and lockedAtColumn`},
	"by state":                          {path: "spec.config.postgres.table", value: `{name: j, queueColumn: q, stateColumn: s, waitingStates: [a, c], runningStates: [b]}`},
	"a state without its values":        {path: "spec.config.postgres.table", value: `{name: j, queueColumn: q, stateColumn: s, waitingStates: [a]}`, want: `spec.config.postgres.table: Invalid value: stateColumn, waitingStates and runningStates belong together: set all three or none`},
	"a state of both":                   {path: "spec.config.postgres.table", value: `{name: j, queueColumn: q, stateColumn: s, waitingStates: [a, b], runningStates: [b]}`, want: `spec.config.postgres.table: Invalid value: no state can be both in waitingStates and in runningStates`},
	"a query":                           {path: "spec.config.postgres", value: `{database: app, query: "WITH j AS (SELECT 1) SELECT * FROM j WHERE queue = ANY ($1)"}`},
	"a query that is no SELECT":         {path: "spec.config.postgres", value: `{database: app, query: "DELETE FROM jobs WHERE queue = ANY ($1)"}`, want: `spec.config.postgres.query: Invalid value: "DELETE FROM jobs WHERE queue = ANY ($1)": query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those`},
	"a query of two":                    {path: "spec.config.postgres", value: `{database: app, query: "SELECT $1; SELECT 1"}`, want: `spec.config.postgres.query: Invalid value: "SELECT $1; SELECT 1": query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those`},
	"a query with a comment":            {path: "spec.config.postgres", value: `{database: app, query: "SELECT $1 -- x"}`, want: `spec.config.postgres.query: Invalid value: "SELECT $1 -- x": query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those`},
	"a query that asks for none":        {path: "spec.config.postgres", value: `{database: app, query: "SELECT $10"}`, want: `spec.config.postgres.query: Invalid value: "SELECT $10": query must use $1, the array of the queues' names, such as in WHERE queue = ANY ($1)`},
	"the block of another type is none": {path: "spec.type", value: `redis`, want: `spec.config: Invalid value: the block config.postgres belongs to the type postgres; remove it, or correct the type`},
}

const notOfPostgres = `spec.config: Invalid value: with the type postgres, config takes host, port, username, password, worker, tls and postgres; postgres and all usernames are required, and the database is named by postgres.database`

const smallMySQLConfig = `
apiVersion: quickube.com/v1alpha1
kind: ScalerConfig
metadata:
  name: small
spec:
  type: mysql
  config:
    host: mysql
    username: qscaler
    mysql:
      database: app
      table: {name: jobs, queueColumn: queue, lockedAtColumn: locked_at}
`

var mysqlConfigCases = map[string]validationCase{
	"the least":                         {path: "spec.config.port", value: `3306`},
	"no username":                       {path: "spec.config.username", want: notOfMySQL},
	"workers of another user":           {path: "spec.config.worker", value: `{username: app}`},
	"workers of no user":                {path: "spec.config.worker", value: `{password: {value: hush}}`, want: notOfMySQL},
	"no block":                          {path: "spec.config.mysql", want: notOfMySQL},
	"a numbered database":               {path: "spec.config.database", value: `0`, want: notOfMySQL},
	"no database":                       {path: "spec.config.mysql.database", want: `spec.config.mysql.database: Required value`},
	"a limit of 0":                      {path: "spec.config.mysql.countLimit", value: `0`, want: `spec.config.mysql.countLimit: Invalid value: 0: spec.config.mysql.countLimit in body should be greater than or equal to 1`},
	"table and query":                   {path: "spec.config.mysql.query", value: `SELECT (?)`, want: `spec.config.mysql: Invalid value: mysql must have exactly one of table and query`},
	"neither table nor query":           {path: "spec.config.mysql.table", want: `spec.config.mysql: Invalid value: mysql must have exactly one of table and query`},
	"a query":                           {path: "spec.config.mysql", value: `{database: app, query: "WITH j AS (SELECT 1) SELECT * FROM j WHERE queue IN (?)"}`},
	"a query that is no SELECT":         {path: "spec.config.mysql", value: `{database: app, query: "DELETE FROM jobs WHERE queue IN (?)"}`, want: `spec.config.mysql.query: Invalid value: "DELETE FROM jobs WHERE queue IN (?)": ` + oneSelect},
	"a query of two":                    {path: "spec.config.mysql", value: `{database: app, query: "SELECT (?); SELECT 1"}`, want: `spec.config.mysql.query: Invalid value: "SELECT (?); SELECT 1": ` + oneSelect},
	"a query with a comment":            {path: "spec.config.mysql", value: `{database: app, query: "SELECT (?) # x"}`, want: `spec.config.mysql.query: Invalid value: "SELECT (?) # x": ` + oneSelect},
	"a query that asks for none":        {path: "spec.config.mysql", value: `{database: app, query: "SELECT 1"}`, want: `spec.config.mysql.query: Invalid value: "SELECT 1": ` + itsNames},
	"a query of one name":               {path: "spec.config.mysql", value: `{database: app, query: "SELECT (?), ?"}`, want: `spec.config.mysql.query: Invalid value: "SELECT (?), ?": ` + itsNames},
	"the block of another type is none": {path: "spec.type", value: `redis`, want: `spec.config: Invalid value: the block config.mysql belongs to the type mysql; remove it, or correct the type`},
}

const (
	notOfMySQL = `spec.config: Invalid value: with the type mysql, config takes host, port, username, password, worker, tls and mysql; mysql and all usernames are required, and the database is named by mysql.database`
	oneSelect  = `query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those`
	itsNames   = `query must use (?), the list of the queues' names, such as in WHERE queue IN (?), and may have no other question mark`
)
