package node_test

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, waitLimit, true, func(context.Context) (bool, error) {
		return is(), nil
	})
	if err != nil {
		t.Fatalf("never: %s", what)
	}
}
