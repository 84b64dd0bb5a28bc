// Command qscaler is the operator.
package main

import (
	"fmt"
	"os"
	"runtime/debug"

	ctrl "sigs.k8s.io/controller-runtime"
)

// gcPercent is half of Go's own: an operator of many QWorkers mostly sleeps, and the memory that it holds
// meanwhile is dearer than the processor time. GOGC overrides it.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := newCommand().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "qscaler:", err)
		os.Exit(1)
	}
}
