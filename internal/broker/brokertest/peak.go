package brokertest

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// Peak is how many bytes of objects the process has at most while work runs, garbage included, beyond those before it.
func Peak(work func()) uint64 {
	runtime.GC()
	before := heap()
	peak, stop := make(chan uint64), make(chan struct{})
	go func() {
		most := before
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(2 * time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	work()
	close(stop)
	return <-peak - before
}

// heap is what the process has of objects, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
