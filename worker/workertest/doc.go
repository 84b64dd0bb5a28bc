// Package workertest runs a worker in a test, on a broker in memory and a clock that stands still: a handler can
// be run, drained, killed and its retries stepped in milliseconds.
//
//	b := workertest.New(t)
//	w := b.Start(handle, worker.WithRetries(3))
//	b.Push("payload")
//	b.AwaitDelayed(1)          // it failed once
//	b.Advance(time.Minute)     // and is tried again
//	b.AwaitDone(1)
//	w.Grant("ScaleDown")
//	w.Wait()                   // Run has returned nil
//
//	broker.go      what a test does with the broker
//	process.go     a worker that runs
//	timeout.go     an attempt's time-out, by that clock
//	store.go       the queue, the lists, the delayed tasks and the dead letters, in memory
package workertest
