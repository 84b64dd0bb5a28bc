package rightsize

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Max(1, math.Abs(want)) }

// The bounds were worked out from the published formulas, apart from this code.
func TestBuckets(t *testing.T) {
	for _, b := range []Buckets{CPUBuckets(), MemoryBuckets()} {
		if b.Count() != 176 {
			t.Errorf("%d buckets, want 176", b.Count())
		}
	}
	for value, want := range map[float64]struct {
		bucket     int
		start, end float64
	}{
		0:          {0, 0, 0.01},
		-1:         {0, 0, 0.01},
		math.NaN(): {0, 0, 0.01},
		0.0099:     {0, 0, 0.01},
		0.01:       {1, 0.01, 0.0205},
		0.1:        {8, 0.09549108875781252, 0.11026564319570314},
		0.5:        {25, 0.4772709881798773, 0.5111345375888712},
		4:          {62, 3.918760489654117, 4.124698514136822},
		1000:       {174, 972.4756275284428, 1021.109408904865},
		5000:       {175, 1021.109408904865, 1021.109408904865},
	} {
		b := CPUBuckets()
		if got := b.Find(value); got != want.bucket || !near(b.Start(got), want.start) || !near(b.End(got), want.end) {
			t.Errorf("%g is in bucket %d from %g to %g, want %+v", value, got, b.Start(got), b.End(got), want)
		}
	}
	if b := MemoryBuckets(); b.Find(256<<20) != 17 || !near(b.End(17), 281323846.7382169) {
		t.Errorf("256 MiB is in bucket %d, which ends at %f", b.Find(256<<20), b.End(17))
	}
}

type added struct {
	value, weight float64
	at            time.Duration
}

func TestPercentiles(t *testing.T) {
	day := 24 * time.Hour
	tenths := make([]added, 10)
	for i := range tenths {
		tenths[i] = added{value: float64(i+1) / 10, weight: 1}
	}
	eightOld := []added{{1, 8, 0}, {0.2, 1, 3 * day}, {0.2, 1, 3 * day}}
	for name, tc := range map[string]struct {
		samples []added
		want    map[float64]float64
	}{
		"nothing":                 {nil, map[float64]float64{0.9: 0}},
		"one sample is all there": {[]added{{0.5, 1, 0}}, map[float64]float64{0.01: 0.5111345375888712, 1: 0.5111345375888712}},
		"ten tenths of a core": {tenths, map[float64]float64{
			0.5: 0.5111345375888712, 0.9: 0.9032030735184506, 0.95: 1.0162813885540918, 1: 1.0162813885540918,
		}},
		"three half-lives make eight old samples one": {eightOld, map[float64]float64{
			0.5: 0.21578563588227356, 0.6: 0.21578563588227356, 0.9: 1.0162813885540918,
		}},
		// Values and weights of 1 to 4, a half-life apart: the published algorithm's own example, and its own shares.
		// (util/decaying_histogram_test.go: TestDecayingHistogramPercentiles)
		"what grows while it is forgotten": {[]added{{1, 1, 0}, {2, 2, day}, {3, 3, 2 * day}, {4, 4, 3 * day}}, map[float64]float64{
			0.02: 1.0162813885540918, 0.03: 2.093479957150738, 0.1: 2.093479957150738, 0.11: 3.0271566170604425,
			0.34: 3.0271566170604425, 0.35: 4.124698514136822, 1: 4.124698514136822,
		}},
		"a sample from before the last one weighs less": {[]added{{1, 1, 4 * day}, {0.2, 1, 0}}, map[float64]float64{
			0.05: 0.21578563588227356, 0.07: 1.0162813885540918,
		}},
		"the reference moves after 100 half-lives": {[]added{{1, 1, 0}, {0.2, 1, 150 * day}, {0.2, 1, 151 * day}}, map[float64]float64{
			1: 0.21578563588227356,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHistogram(CPUBuckets())
			for _, s := range tc.samples {
				h.Add(s.value, s.weight, start.Add(s.at))
			}
			for p, want := range tc.want {
				if got := h.Percentile(p); !near(got, want) {
					t.Errorf("percentile %g is %g, want %g", p, got, want)
				}
			}
		})
	}
}

func TestConfidenceWidensTheUpperBound(t *testing.T) {
	for name, tc := range map[string]struct {
		lasted  time.Duration
		samples int64
		want    float64
	}{
		"no history":                   {0, 1, math.Inf(1)},
		"12 hours":                     {12 * time.Hour, 720, 3},
		"a day":                        {24 * time.Hour, 1440, 2},
		"a week":                       {7 * 24 * time.Hour, 7 * 1440, 8.0 / 7},
		"a week with a day of samples": {7 * 24 * time.Hour, 1440, 2},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUsage()
			u.cpu.Add(0.5, 1, start)
			u.Samples, u.First, u.Last = tc.samples, start, start.Add(tc.lasted)
			e, _ := u.estimate(u.cpu)
			if got := e.Upper / 0.5111345375888712; got != tc.want && !near(got, tc.want) {
				t.Errorf("the upper bound is %g times the 95th percentile, want %g", got, tc.want)
			}
		})
	}
}

// A pod adds one memory sample a day, its peak; a second pod adds its own.
func TestMemoryPeaks(t *testing.T) {
	h := NewHistory()
	for i, mb := range []float64{200, 800, 300} {
		for _, pod := range []string{"a", "b"} {
			h.Observe(Sample{Pod: pod, Container: "w", Time: start.Add(time.Duration(i) * time.Minute), Memory: mb * 1e6})
		}
	}
	u := h.Usage("w")
	if got := u.memory.Percentile(0.01); !near(got, 800637708.4067576) {
		t.Errorf("the lowest peak is %f; what a higher one replaced still counts", got)
	}
	h.Observe(Sample{Pod: "a", Container: "w", Time: start.Add(25 * time.Hour), Memory: 200e6})
	if got := u.memory.Percentile(0.01); !near(got, 215785635.88227358) {
		t.Errorf("the lowest peak is %f after a day, want the new interval's", got)
	}
	if u := h.Usage("w"); u.Samples != 7 {
		t.Errorf("%d samples, want 7", u.Samples)
	}
}

func TestWhatIsNoNewSample(t *testing.T) {
	h := NewHistory()
	sample := Sample{Pod: "a", Container: "w", Time: start, CPU: 1, Memory: 1e8}
	same, older, negative, other := sample, sample, sample, sample
	older.Time = start.Add(-time.Minute)
	negative.Time, negative.CPU = start.Add(time.Minute), -1
	other.Container = "side"
	var got []bool
	for _, s := range []Sample{sample, same, older, negative, other} {
		got = append(got, h.Observe(s))
	}
	if diff := cmp.Diff([]bool{true, false, false, false, true}, got); diff != "" {
		t.Errorf("which were new, -want +got:\n%s", diff)
	}
	if h.Usage("w").Samples != 1 || h.Usage("side").Samples != 1 || h.Usage("absent").Samples != 0 {
		t.Error("samples were counted for another container")
	}
}

// A clock that was a year ahead for a while does not silence the samples of the year.
func TestAClockThatWasWrong(t *testing.T) {
	h := NewHistory()
	observe := func(at time.Time, cpu float64) bool {
		return h.Observe(Sample{Pod: "a", Container: "w", Time: at, CPU: cpu, Memory: cpu * 1e9})
	}
	year := 365 * 24 * time.Hour
	for i, s := range []struct {
		at  time.Time
		cpu float64
	}{{start, 0.5}, {start.Add(year), 4}, {start.Add(time.Minute), 0.5}, {start.Add(2 * time.Minute), 0.5}} {
		if !observe(s.at, s.cpu) {
			t.Errorf("sample %d was not taken", i)
		}
	}
	u := h.Usage("w")
	if cpu, memory := u.cpu.Percentile(1), u.memory.Percentile(1); cpu > 0.6 || memory > 0.6e9 {
		t.Errorf("the most is %g cores and %g bytes, want what the samples of the right time say", cpu, memory)
	}
}

// Whatever was added, a percentile is at least the value it stands for and at most a bucket above.
func TestPercentileBounds(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		h := NewHistogram(CPUBuckets())
		lowest, highest := math.Inf(1), 0.0
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			v := rapid.Float64Range(0, 900).Draw(t, "value")
			h.Add(v, 1, start.Add(time.Duration(rapid.IntRange(0, 47).Draw(t, "hours"))*time.Hour))
			lowest, highest = min(lowest, v), max(highest, v)
		}
		last := 0.0
		for _, p := range []float64{0.01, 0.5, 0.9, 0.95, 1} {
			got := h.Percentile(p)
			if got < last {
				t.Fatalf("percentile %g is %g, below a lower one's %g", p, got, last)
			}
			last = got
			if got < lowest*(1-1e-9) || got > highest*1.05+0.0106 {
				t.Fatalf("percentile %g is %g; the samples are from %g to %g", p, got, lowest, highest)
			}
		}
		if last < highest*(1-1e-9) {
			t.Fatalf("the highest is %g, below the sample %g", last, highest)
		}
	})
}

func TestCheckpoint(t *testing.T) {
	h := NewHistory()
	for i := range 3000 {
		h.Observe(Sample{
			Pod: string(rune('a' + i%20)), Container: "worker", Time: start.Add(time.Duration(i) * time.Minute),
			CPU: 0.1 + 0.05*float64(i%17), Memory: 2e8 + 1e7*float64(i%31),
		})
	}
	kill := Kill{PodUID: "u", Pod: "a", Container: "worker", Request: 1 << 28}
	h.Count(kill, Bounds{}, start)
	text := h.Encode()
	if len(text) > 1500 {
		t.Errorf("the checkpoint has %d bytes: %s", len(text), text)
	}
	back, err := Decode(text, start)
	if err != nil {
		t.Fatal(err)
	}
	was, is := h.Usage("worker"), back.Usage("worker")
	for _, p := range []float64{0.5, 0.9, 0.95, 1} {
		if was.cpu.Percentile(p) != is.cpu.Percentile(p) || was.memory.Percentile(p) != is.memory.Percentile(p) {
			t.Errorf("percentile %g is another one", p)
		}
	}
	if was.Samples != is.Samples || !near(was.confidence(), is.confidence()) {
		t.Errorf("%d samples and confidence %g, want %d and %g", is.Samples, is.confidence(), was.Samples, was.confidence())
	}
	if got, want := back.Floor("worker", start), h.Floor("worker", start); got != want || got == 0 {
		t.Errorf("the floor is %d, want %d", got, want)
	}
	if got := back.Count(kill, Bounds{}, start); got != Counted {
		t.Errorf("the kill is %s, want it counted before", got)
	}
	if again := back.Encode(); len(again) > len(text)+100 {
		t.Errorf("it grows from %d to %d bytes", len(text), len(again))
	}
}

func TestNoCheckpoint(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"cut":           `{"v":1,"c":{"w":{"n":12,`,
		"newer":         `{"v":2}`,
		"bucket beyond": `{"v":1,"c":{"w":{"cpu":{"total":1,"w":[176,10]}}}}`,
		"no pairs":      `{"v":1,"c":{"w":{"cpu":{"total":1,"w":[17]}}}}`,
		"negative":      `{"v":1,"c":{"w":{"mem":{"total":1,"w":[17,-4]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(text, start); err == nil {
				t.Error("it was read")
			}
		})
	}
}
