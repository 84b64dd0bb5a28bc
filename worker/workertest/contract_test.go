package workertest

import (
	"testing"
	"time"

	"github.com/quickube/qscaler/worker/internal/storetest"
)

func TestContract(t *testing.T) {
	storetest.Test(t, func(t *testing.T) storetest.Fixture {
		b := New(t)
		s := &share{Broker: b, pod: "pod-0"}
		return storetest.Fixture{
			Store: s, Push: func(element string) { b.Push(element) },
			Hold:    func(element string) { b.change(func() { b.lists[s.pod] = append(b.lists[s.pod], element) }) },
			Advance: func(d time.Duration) { b.Advance(d) },
		}
	})
}
