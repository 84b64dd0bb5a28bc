package rightsize

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/propertytest"
)

func TestAmounts(t *testing.T) {
	for name, tc := range map[string]struct {
		of   corev1.ResourceName
		q    string
		want amount
	}{
		"nothing":                              {"memory", "0", 0},
		"a part of a byte is rounded up":       {"memory", "512m", 1},
		"a part of a thousandth is rounded up": {"cpu", "1500u", 2},
		"a core":                               {"cpu", "1", 1000},
		"1 EB of memory":                       {"memory", "1E", 1e18},
		"the largest number but one":           {"memory", "9223372036854775806", math.MaxInt64 - 1},
		"the largest number":                   {"memory", "9223372036854775807", math.MaxInt64},
		"10 EB of memory":                      {"memory", "10E", math.MaxInt64},
		"1e18 cores":                           {"cpu", "1E", math.MaxInt64},
		"the largest number of thousandths":    {"cpu", "9223372036854775807m", math.MaxInt64},
		"and one less":                         {"cpu", "9223372036854775806m", math.MaxInt64 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := amountOf(tc.of, resource.MustParse(tc.q)); got != tc.want {
				t.Errorf("%s is %d, want %d", tc.q, got, tc.want)
			}
		})
	}
}

func TestFiguresAreRoundedUp(t *testing.T) {
	for name, tc := range map[string]struct {
		of    corev1.ResourceName
		value float64
		want  amount
	}{
		"nothing":                    {"cpu", 0, 0},
		"a little of a core":         {"cpu", 0.0001, 1},
		"whole thousandths":          {"cpu", 0.25, 250},
		"a byte":                     {"memory", 1, 1 << 20},
		"whole MiB":                  {"memory", 1 << 21, 1 << 21},
		"one more byte":              {"memory", 1<<21 + 1, 3 << 20},
		"the largest that fits":      {"memory", 1<<63 - 1<<20, 1<<63 - 1<<20},
		"more than any amount":       {"memory", 1 << 63, math.MaxInt64},
		"more cores than any amount": {"cpu", 1e300, math.MaxInt64},
		"infinity":                   {"memory", math.Inf(1), math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			if got := roundUp(tc.of, tc.value); got != tc.want {
				t.Errorf("%g is %d, want %d", tc.value, got, tc.want)
			}
		})
	}
}

// Whatever the amounts are, none becomes a smaller one by being too large.
func TestScaleIsExactUntilItIsTheLargest(t *testing.T) {
	number := rapid.OneOf(rapid.Int64Range(0, 1<<20), rapid.Int64Range(0, math.MaxInt64), rapid.Int64Range(math.MaxInt64-2, math.MaxInt64))
	propertytest.Check(t, func(t *rapid.T) {
		value, numerator, denominator := number.Draw(t, "value"), number.Draw(t, "numerator"), max(number.Draw(t, "denominator"), 1)
		product := new(big.Int).Mul(big.NewInt(value), big.NewInt(numerator))
		quotient, remainder := product.QuoRem(product, big.NewInt(denominator), new(big.Int))
		if remainder.Sign() > 0 {
			quotient.Add(quotient, big.NewInt(1))
		}
		want := amount(math.MaxInt64)
		if quotient.IsInt64() {
			want = quotient.Int64()
		}
		if got := scale(value, numerator, denominator); got != want {
			t.Fatalf("%d x %d / %d is %d, want %d", value, numerator, denominator, got, want)
		}
	})
}

func TestSumsAndProductsOfAmounts(t *testing.T) {
	const most = math.MaxInt64
	got := []amount{plus(1, 2), plus(most-2, 1), plus(most-1, 1), plus(most-1, 2), plus(most, most), times(3, 4), times(most/2, 2), times(most/2+1, 2), times(0, 4)}
	if diff := cmp.Diff([]amount{3, most - 1, most, most, most, 12, most - 1, most, 0}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What a kill raises the memory by is never below what the container had.
func TestKillsOfTheLargestContainers(t *testing.T) {
	for had, want := range map[int64]int64{
		0: oomStep, 500 << 20: 600 << 20, 500<<20 + 5: 600<<20 + 6, 1000 << 20: 1200 << 20,
		math.MaxInt64 - oomStep: math.MaxInt64, math.MaxInt64: math.MaxInt64,
	} {
		if got := raiseBy(had, false); got != want {
			t.Errorf("%d is raised to %d, want %d", had, got, want)
		}
		if got, twice := raiseBy(had, true), plus(want, want-had); got != twice {
			t.Errorf("%d is raised twice to %d, want %d", had, got, twice)
		}
	}
	if got := newUsage().grown(math.MaxInt64 / 2); got != math.MaxInt64 {
		t.Errorf("kills lead to %d at most", got)
	}
}

// A figure that no container can have must not end the operator.
func TestTheLargestFiguresHaveABucket(t *testing.T) {
	for name, b := range map[string]Buckets{"cpu": CPUBuckets(), "memory": MemoryBuckets()} {
		for _, value := range []float64{math.MaxFloat64, math.Inf(1), 1.001 * b.Start(b.Count()-1)} {
			if got := b.Find(value); got != b.Count()-1 {
				t.Errorf("%s: %g is in bucket %d, want the last, %d", name, value, got, b.Count()-1)
			}
		}
	}
}

// A bound that is larger than any amount bounds nothing, and makes nothing 0.
func TestTheLargestBounds(t *testing.T) {
	for _, most := range []string{"1E", "10E"} {
		h := NewHistory()
		h.Observe(Sample{Pod: "p", Container: "a", Time: start, CPU: 1, Memory: 1 << 30})
		p := Policy{spec: v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"a": allow(most, most)}}}
		r := h.Recommend("a", p, corev1.ResourceRequirements{}, nil, start)
		if r == nil || r.Reason != string(Used) || r.Requests.Cpu().MilliValue() < 1000 || r.Requests.Memory().Value() < 1<<30 {
			t.Errorf("with maxAllowed of %s %+v is recommended", most, r)
		}
		if b := p.MemoryBounds("a", corev1.ResourceRequirements{}); b.Maximum < 1e18 {
			t.Errorf("with maxAllowed of %s kills raise to %d at most", most, b.Maximum)
		}
	}
}
