// A QScaler worker with the SDK: a handler, and Run.
package main

import (
	"context"
	"log"
	"os"

	"github.com/quickube/qscaler/worker"
)

func main() {
	log.SetOutput(os.Stderr)
	if err := worker.Run(context.Background(), handle); err != nil {
		log.Fatal(err)
	}
}
