// Package worker is the SDK for workers of QScaler in Go.
//
//	func main() {
//		err := worker.Run(context.Background(), worker.JSON(func(ctx context.Context, mail Mail) error {
//			return send(ctx, mail)
//		}), worker.WithConcurrency(10))
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// A worker takes tasks from a Redis list, calls a handler for each, and leaves when it is told to: Run then
// returns nil, and main ends with exit code 0. A task in hand is always finished first.
//
// Tasks are pushed by LPUSH from anywhere, or by a Client. Each is done at least once: it is reserved in the
// pod's own list, acknowledged when the handler returns nil, tried again when it returns an error, and a dead
// letter when nothing helps.
//
//	handler.go     what does a task
//	options.go     how
//	worker.go      Run
//	env.go         what the environment says
//	env_server.go  and of where the server is
//	connect.go     the way to the broker
//	refusal.go     what Redis refuses
//	lockout.go     when Redis refuses the password
//	only.go        one worker for each queue and pod
//	drain/         being told to leave
//	leave.go       what a handler sees of it
//	intake.go      what is next: a task, or to leave
//	reserve.go     taking tasks
//	ready.go       beginning them, or handing them back
//	suspect.go     those that may have ended a worker
//	orphans.go     those in our list that nobody has in hand
//	hands.go       those that somebody has
//	pace.go        how many to take ahead
//	attempt.go     doing one
//	fetch.go       once all of it is here
//	meaning.go     what its error says
//	settle.go      telling the broker what came of it
//	client.go      enqueuing tasks, and dead letters
package worker
