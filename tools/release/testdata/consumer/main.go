// Command consumer imports what QScaler has for others: the SDK, the drain file, and the types of the API.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/drain"
)

type mail struct{ To string }

func main() {
	ctx := context.Background()
	leave := drain.Watch(ctx)
	defer leave.Stop()
	fleet := v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{ScaleConfig: v1alpha1.ScaleConfig{Queue: "mail"}}}
	fmt.Println(fleet.Spec.ScaleConfig.Queue)
	if err := worker.Run(ctx, worker.JSON(func(context.Context, mail) error { return nil })); err != nil {
		log.Fatal(err)
	}
}
