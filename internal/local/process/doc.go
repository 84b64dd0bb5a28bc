// Package process starts processes of this machine that must not outlive local mode, and finds those that
// did all the same.
//
// A process gets a session (and so a process group) of its own, writes to a file and not to a pipe, is
// killed by the kernel when we die, and is written down with its start time, so that the next run on the
// same directory can end what a killed one left behind, without ever touching a stranger that has inherited
// the number.
//
// It imports nothing of ours. What the processes are for, etcd or a worker's container, is the business of
// its callers.
package process
