package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

const (
	// answerPatience is for how long an API server is waited for at the start: one that was restarted, too, needs a
	// moment. Whoever runs the operator starts it again after that.
	answerPatience = 30 * time.Second
	answerRetry    = 200 * time.Millisecond
)

// awaitAPIServer waits until the API server says what it serves. Also a refusal may be for the moment: before it has
// read the roles, an API server that has just started lets nobody do anything.
func awaitAPIServer(ctx context.Context, config *rest.Config, log logr.Logger) error {
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, answerRetry, answerPatience, true, func(context.Context) (bool, error) {
		_, err := server.ServerGroups()
		if err != nil && (last == nil || last.Error() != err.Error()) {
			log.Info("Waiting for the API server", "address", config.Host, "error", err.Error())
		}
		last = err
		return err == nil, nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the API server at %s has not said within %s what it serves, %w", config.Host, answerPatience, last)
	}
	return err
}
