package v1alpha1

// PostgresConfig says where the queues of a PostgreSQL database are. docs/brokers/postgres.md has examples.
// +kubebuilder:validation:XValidation:rule="has(self.table) != has(self.query)",message="postgres must have exactly one of table and query"
type PostgresConfig struct {
	// Name of the database.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Database string `json:"database"`

	// Name of the schema that has the table, and in which a query finds its tables. Default: public.
	// +optional
	// +kubebuilder:default=public
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Schema string `json:"schema,omitempty"`

	// A table, or a view, with one row for each message.
	// +optional
	Table *SQLTable `json:"table,omitempty"`

	// One SELECT that counts by itself, for what no table says. Its parameter $1 is the array of the queues' names (text[]).
	// It must have the columns queue, waiting and in_flight, and one row at most for each queue; a queue without a row is
	// empty. A column oldest_seconds may have the age of the oldest waiting message. It may have no semicolon and no comment.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:XValidation:rule="self.matches('^[[:space:]]*(?i:select|with)[[:space:]]') && !self.contains(';') && !self.contains('--') && !self.contains('/*')",message="query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those"
	// +kubebuilder:validation:XValidation:rule="self.matches('[$]1([^0-9]|$)')",message="query must use $1, the array of the queues' names, such as in WHERE queue = ANY ($1)"
	Query string `json:"query,omitempty"`

	// The channel on which the database notifies of new messages (NOTIFY), with the queue's name, or nothing, as the
	// payload. Absent: the operator polls. It does not work through PgBouncer in transaction mode.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Channel string `json:"channel,omitempty"`

	// Where counting ends, for each number of each queue, 1 to 1000000: a longer queue is taken for one of so many messages.
	// It must be enough for maxReplicas. With a query it does not apply. Default: 10000.
	// +optional
	// +kubebuilder:default=10000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	CountLimit int32 `json:"countLimit,omitempty"`
}

// MySQLConfig says where the queues of a MySQL or MariaDB database are. docs/brokers/mysql.md has examples.
// +kubebuilder:validation:XValidation:rule="has(self.table) != has(self.query)",message="mysql must have exactly one of table and query"
type MySQLConfig struct {
	// Name of the database.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Database string `json:"database"`

	// A table, or a view, with one row for each message.
	// +optional
	Table *SQLTable `json:"table,omitempty"`

	// One SELECT that counts by itself, for what no table says. In it (?) is the list of the queues' names, as parameters.
	// It must have the columns queue, waiting and in_flight, and one row at most for each queue; a queue without a row is
	// empty. A column oldest_seconds may have the age of the oldest waiting message. It may have no semicolon and no comment.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:XValidation:rule="self.matches('^[[:space:]]*(?i:select|with)[[:space:]]') && !self.contains(';') && !self.contains('--') && !self.contains('/*') && !self.contains('#')",message="query must be one SELECT: it begins with SELECT or WITH, and has no semicolon and no comment; make it a view where you need those"
	// +kubebuilder:validation:XValidation:rule="self.contains('(?)') && !self.replace('(?)', '').contains('?')",message="query must use (?), the list of the queues' names, such as in WHERE queue IN (?), and may have no other question mark"
	Query string `json:"query,omitempty"`

	// Where counting ends, for each number of each queue, 1 to 1000000: a longer queue is taken for one of so many messages.
	// It must be enough for maxReplicas. With a query it does not apply. Default: 10000.
	// +optional
	// +kubebuilder:default=10000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	CountLimit int32 `json:"countLimit,omitempty"`
}

// SQLTable names a table with one row for each message, and its columns. A row that neither waits nor is in flight does not
// count.
// +kubebuilder:validation:XValidation:rule="has(self.stateColumn) != has(self.lockedAtColumn)",message="table must have exactly one of stateColumn and lockedAtColumn"
// +kubebuilder:validation:XValidation:rule="has(self.stateColumn) == has(self.waitingStates) && has(self.stateColumn) == has(self.runningStates)",message="stateColumn, waitingStates and runningStates belong together: set all three or none"
// +kubebuilder:validation:XValidation:rule="!has(self.waitingStates) || !has(self.runningStates) || self.waitingStates.all(s, !(s in self.runningStates))",message="no state can be both in waitingStates and in runningStates"
type SQLTable struct {
	// Name of the table or view.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Name string `json:"name"`

	// Column with the queue's name.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	QueueColumn string `json:"queueColumn"`

	// Column with the state of a message.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	StateColumn string `json:"stateColumn,omitempty"`

	// The states in which a message waits, as texts; 1 to 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	WaitingStates []string `json:"waitingStates,omitempty"`

	// The states in which a worker has a message, as texts; 1 to 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	RunningStates []string `json:"runningStates,omitempty"`

	// Column that is NULL while a message waits, and is not while a worker has it. Rows of done messages must be deleted, or
	// left out by a view.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	LockedAtColumn string `json:"lockedAtColumn,omitempty"`

	// Column with the time before which a message is not to be taken. Such a message does not count. NULL is now. Absent: all
	// are due.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	RunAtColumn string `json:"runAtColumn,omitempty"`

	// Column with the pod name, the host name or the IP address of the worker that has the message. Absent: nobody knows who
	// is busy.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	WorkerColumn string `json:"workerColumn,omitempty"`

	// Column with the time at which a message was pushed, for the age of the oldest. Absent: no age is known.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	CreatedAtColumn string `json:"createdAtColumn,omitempty"`
}
