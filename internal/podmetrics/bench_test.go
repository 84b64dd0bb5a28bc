package podmetrics

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecode reads the list of 10,000 pods with the labels that QScaler gives them.
func BenchmarkDecode(b *testing.B) {
	var items []string
	for i := range 10_000 {
		items = append(items, fmt.Sprintf(`{"metadata":{"name":"worker-%d","namespace":"default","creationTimestamp":"2026-03-01T12:00:30Z","labels":{"quickube.com/pod-spec-hash":"abcdefghij","quickube.com/qworker":"worker","quickube.com/qworker-uid":"00000000-0000-0000-0000-000000000000"}},"timestamp":"2026-03-01T12:00:00Z","window":"15.2s","containers":[{"name":"worker","usage":{"cpu":"%dn","memory":"307200Ki"}}]}`, i, 123456789+i))
	}
	body := []byte(`{"kind":"PodMetricsList","items":[` + strings.Join(items, ",") + `]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if pods, err := decode(body); err != nil || len(pods) != 10_000 {
			b.Fatal(err)
		}
	}
}
