// Package realkubelet kills at random on a real kubelet: workers in containers, the operator, the API server and the
// kubelet itself, which is also stopped for a while, so that its statuses come late. Workers with grants and workers that
// leave on SIGTERM do tasks meanwhile. None is lost, and none is interrupted but by a kill.
//
// It needs a node on this machine, and the tag realkubelet: `make test-kubelet` runs it, and no other target does.
//
//	kills_test.go    the story
//	node_test.go     the node: its kubelet, its API server, the processes of its workers
//	victims_test.go  what is killed, when, and for how long
//	tasks_test.go    what is pushed, taken away and brought back
//	logs_test.go     what the workers write
package realkubelet
