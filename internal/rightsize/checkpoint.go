package rightsize

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

const (
	// checkpointVersion changes with the buckets and with the meaning of a field.
	checkpointVersion = 1
	// maxCheckpointWeight is the weight of the heaviest bucket of a checkpoint; the others are scaled with
	// it and rounded. (util/histogram.go: MaxCheckpointWeight)
	maxCheckpointWeight = 10000
	// maxMarks bounds how many counted kills a checkpoint names, the latest ones.
	maxMarks = 500
	// maxTroubles bounds how many pods it names that were killed and not raised, the latest ones.
	maxTroubles = 100
)

// checkpoint is a History as JSON, some hundred bytes a container. Times are Unix seconds.
type checkpoint struct {
	Version    int                        `json:"v"`
	Containers map[string]usageCheckpoint `json:"c,omitempty"`
	Raises     []int64                    `json:"raises,omitempty"`
	Counted    []string                   `json:"counted,omitempty"`
	Before     int64                      `json:"before,omitempty"`
	Troubles   []troubleCheckpoint        `json:"troubles,omitempty"`
}

type usageCheckpoint struct {
	Samples int64               `json:"n"`
	First   int64               `json:"first"`
	Last    int64               `json:"last"`
	CPU     histogramCheckpoint `json:"cpu"`
	Memory  histogramCheckpoint `json:"mem"`
	Floor   *floorCheckpoint    `json:"floor,omitempty"`
}

type floorCheckpoint struct {
	Bytes  int64 `json:"bytes"`
	From   int64 `json:"from,omitempty"`
	Raised int64 `json:"raised"`
	Killed int64 `json:"killed"`
}

type troubleCheckpoint struct {
	Pod    string     `json:"pod"`
	Result KillResult `json:"result"`
	At     int64      `json:"at"`
}

// histogramCheckpoint has a histogram's weights as pairs of a bucket and a whole number.
type histogramCheckpoint struct {
	Reference int64   `json:"ref"`
	Total     float64 `json:"total"`
	Weights   []int   `json:"w"`
}

// Encode returns the history as a short text, from which Decode makes it again.
func (h *History) Encode() string {
	c := checkpoint{Version: checkpointVersion, Containers: map[string]usageCheckpoint{}}
	for name, u := range h.usages {
		c.Containers[name] = u.checkpoint()
	}
	for _, t := range h.kills.raises {
		c.Raises = append(c.Raises, t.Unix())
	}
	marks := slices.SortedFunc(maps.Keys(h.kills.counted), func(a, b string) int {
		return h.kills.counted[b].Compare(h.kills.counted[a])
	})
	c.Counted, c.Before = marks[:min(len(marks), maxMarks)], unix(h.kills.before)
	if len(marks) > maxMarks {
		c.Before = max(c.Before, unix(h.kills.counted[marks[maxMarks]]))
	}
	slices.Sort(c.Counted)
	for _, t := range h.kills.troubles[max(len(h.kills.troubles)-maxTroubles, 0):] {
		c.Troubles = append(c.Troubles, troubleCheckpoint{Pod: t.Pod, Result: t.Result, At: unix(t.At)})
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // a weight that is no number: a defect of the program
	}
	return string(text)
}

// Decode reads what Encode wrote. Text that it cannot read is an error, and the history is then to be begun anew.
func Decode(text string, now time.Time) (*History, error) {
	var c checkpoint
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("reading the history of the workers' usage, %w", err)
	}
	if c.Version != checkpointVersion {
		return nil, fmt.Errorf("reading the history of the workers' usage, version %d is not known", c.Version)
	}
	h := NewHistory()
	for name, uc := range c.Containers {
		u, err := uc.usage()
		if err != nil {
			return nil, fmt.Errorf("reading the history of container %s, %w", name, err)
		}
		h.usages[name] = u
	}
	for _, t := range c.Raises {
		h.kills.raises = append(h.kills.raises, time.Unix(t, 0))
	}
	h.kills.before = fromUnix(c.Before)
	for _, m := range c.Counted {
		h.kills.counted[m] = now
	}
	for _, t := range c.Troubles {
		h.kills.troubles = append(h.kills.troubles, Trouble{Pod: t.Pod, Result: t.Result, At: fromUnix(t.At)})
	}
	return h, nil
}

func (u *Usage) checkpoint() usageCheckpoint {
	c := usageCheckpoint{Samples: u.Samples, First: unix(u.First), Last: unix(u.Last), CPU: u.cpu.checkpoint(), Memory: u.memory.checkpoint()}
	if u.floor.bytes > 0 {
		c.Floor = &floorCheckpoint{Bytes: u.floor.bytes, From: u.floor.from, Raised: unix(u.floor.raised), Killed: unix(u.floor.killed)}
	}
	return c
}

func (c usageCheckpoint) usage() (*Usage, error) {
	u := newUsage()
	u.Samples, u.First, u.Last = c.Samples, fromUnix(c.First), fromUnix(c.Last)
	if c.Floor != nil {
		u.floor = floor{bytes: c.Floor.Bytes, from: c.Floor.From, raised: fromUnix(c.Floor.Raised), killed: fromUnix(c.Floor.Killed)}
	}
	if err := u.cpu.restore(c.CPU); err != nil {
		return nil, err
	}
	return u, u.memory.restore(c.Memory)
}

func (h *Histogram) checkpoint() histogramCheckpoint {
	c := histogramCheckpoint{Reference: unix(h.reference), Total: h.total}
	heaviest := slices.Max(h.weights)
	if heaviest < epsilon {
		return c
	}
	for bucket, w := range h.weights {
		if scaled := int(math.Round(w / heaviest * maxCheckpointWeight)); scaled > 0 {
			c.Weights = append(c.Weights, bucket, scaled)
		}
	}
	return c
}

func (h *Histogram) restore(c histogramCheckpoint) error {
	if len(c.Weights)%2 != 0 || !valid(c.Total) {
		return fmt.Errorf("a histogram of %d numbers and weight %g is none", len(c.Weights), c.Total)
	}
	sum := 0
	for i := 0; i < len(c.Weights); i += 2 {
		bucket, weight := c.Weights[i], c.Weights[i+1]
		if bucket < 0 || bucket >= len(h.weights) || weight < 0 || weight > maxCheckpointWeight {
			return fmt.Errorf("bucket %d of weight %d is out of range", bucket, weight)
		}
		sum += weight
	}
	h.reference = fromUnix(c.Reference)
	if sum == 0 {
		return nil
	}
	for i := 0; i < len(c.Weights); i += 2 {
		h.weights[c.Weights[i]] += float64(c.Weights[i+1]) / float64(sum) * c.Total
	}
	h.total = c.Total
	return nil
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
