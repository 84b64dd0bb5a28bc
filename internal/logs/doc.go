// Package logs is how the operator logs: one line for one happening, and no word twice in it.
//
//	new.go      loggers, and the level of what libraries tell
//	warn.go     warnings, which logr does not know
//	told.go     errors that are no trouble
//	answers.go  warnings that come with the API server's answers
//	request.go  the logger of a reconciliation
//
// It imports nothing of ours. What is logged belongs to those who log it.
package logs
