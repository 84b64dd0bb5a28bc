package rightsize

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// BenchmarkTick is what one tick costs for 10,000 workers of one QWorker: their samples, and a recommendation.
func BenchmarkTick(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("worker-%d", i)
	}
	h := NewHistory()
	b.ReportAllocs()
	for tick := 0; b.Loop(); tick++ {
		now := start.Add(time.Duration(tick) * time.Minute)
		for i, name := range names {
			h.Observe(Sample{Pod: name, Container: "w", Time: now, CPU: float64(i%100) / 100, Memory: float64(i%1000) * 1e6})
		}
		h.Recommend("w", Policy{}, corev1.ResourceRequirements{}, nil, now)
	}
}
