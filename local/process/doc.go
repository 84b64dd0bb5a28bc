// Package process starts processes that must not outlive local mode, and finds those that did.
//
// A process gets a session of its own (and so a process group), writes to a file and not to a pipe, and is killed by
// the kernel when this process dies. Its start time is recorded. So the next run on the same directory can end what a
// killed run left behind, and never touches another process that has got the same number.
//
// The package imports nothing of ours. Its callers know what the processes are for: etcd, or a worker's container.
package process
