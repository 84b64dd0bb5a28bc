// Package demo is a story of about a minute that shows QScaler at work on this machine, for people: a burst
// becomes workers, idle workers leave first, a change of the spec rolls the fleet, a worker and the operator
// are killed, and in the end the tasks are counted.
//
//	demo.go       brings everything up, plays the story, counts
//	manifests.go  the objects that a user creates
//	story.go      the chapters
//	stage.go      what the chapters do to the world: push, kill, change
//	world.go      what is seen of the world, from the API server, the broker and the workers' logs
//	deployment.go whom a Deployment would have taken away instead
//	picture.go    one moment, as plain values
//	render.go     from a picture to lines of text
//	screen.go     the lines, live in a terminal; plain.go: as a log, elsewhere
//	summary.go    the count
//
// What happens is shown from pods, logs, the broker and Events; the summary is counted from logs and the broker alone.
package demo
