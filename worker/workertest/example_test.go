package workertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

func Example() {
	test := func(t *testing.T) {
		attempt := 0
		b := workertest.New(t)
		w := b.Start(func(context.Context, *worker.Task) error {
			if attempt++; attempt == 1 {
				return worker.RetryAfter(errors.New("not yet"), time.Hour)
			}
			return nil
		})
		b.Push("report")
		b.AwaitDelayed(1)
		b.Advance(time.Hour)
		b.AwaitDone(1)
		w.Grant("ScaleDown")
		w.Wait()
		fmt.Println(b)
	}
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "TestReport", F: test}})
	// Output:
	// 1 done, 0 waiting, 0 in hand, 0 delayed, 0 dead
}
