package controlplane

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// reportEvery is how often a person who waits is told how far it is.
const reportEvery = 5 * time.Second

// counter counts the packages that `go build -v` names, one a line, and reports now and then.
type counter struct {
	programs programs
	total    int
	progress Progress
	started  time.Time
	end      chan struct{}
	ended    chan struct{}

	mu   sync.Mutex
	done int
}

func newCounter(p programs, total int, progress Progress) *counter {
	c := &counter{
		programs: p, total: total, progress: progress, started: time.Now(),
		end: make(chan struct{}), ended: make(chan struct{}),
	}
	go c.report()
	return c
}

func (c *counter) stop() {
	close(c.end)
	<-c.ended
}

func (c *counter) report() {
	defer close(c.ended)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.mu.Lock()
			done := c.done
			c.mu.Unlock()
			c.progress("%s", c.programs.status(done, c.total, time.Since(c.started)))
		case <-c.end:
			return
		}
	}
}

// line takes a line of the go command. Package paths have no blanks; what else it says does.
func (c *counter) line(s string) {
	if s == "" || strings.ContainsAny(s, " \t") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
}

// status is one report. The packages are of very different size, but there are many; the last are the
// programs themselves, which take long to link.
func (p programs) status(done, total int, elapsed time.Duration) string {
	if done >= total-len(p.packages) {
		return "linking " + p.String()
	}
	where := fmt.Sprintf("compiling %s: package %d of %d", p, done, total)
	const enough = 20 // below this, an estimate is a guess
	if done < enough {
		return where
	}
	left := time.Duration(float64(elapsed) / float64(done) * float64(total-done))
	if left < time.Minute {
		return where + ", less than a minute left"
	}
	return fmt.Sprintf("%s, about %d min left", where, int(left.Round(time.Minute).Minutes()))
}

// lines passes on what is written to it line by line, and keeps the last of it for an error message.
type lines struct {
	each func(string)
	rest []byte
	last []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = rest
		l.each(string(line))
		l.last = append(l.last, string(line))
		const kept = 20
		l.last = l.last[max(0, len(l.last)-kept):]
	}
}

func (l *lines) tail() string { return strings.Join(append(l.last, string(l.rest)), "\n") }
