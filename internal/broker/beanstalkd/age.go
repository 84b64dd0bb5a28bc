package beanstalkd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// mostPeeked bounds the jobs that one call of OldestAges may be sent, in bytes: 128 of the longest that a server takes by
// default.
const mostPeeked = 8 << 20

// errPeeked is the answer to more.
var errPeeked = errors.New("the next jobs of these tubes are too long to be looked at")

// next is the job that a tube hands out next.
type next struct {
	queue int // the index of its tube
	id    uint64
}

// OldestAges is broker.AgeReader's. It makes a connection of its own for each call, so that no depth waits for a job that
// is on its way, or fails with it. On that it takes two round trips, however many tubes: a pipeline of peek-ready, and
// one of stats-job.
//
// An age is that of the job that the tube hands out next: the first by priority, and among equals the oldest. It is a
// lower bound of the oldest's where jobs have several priorities. The server counts from the put, and keeps counting while
// a job is delayed, reserved or buried; the delay that a job was last given is taken off.
func (d *driver) OldestAges(ctx context.Context, queues []string) ([]broker.Age, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	ages, err := d.oldestAges(ctx, queues)
	switch {
	case d.closed.Err() != nil:
		return nil, classify(net.ErrClosed, d.config)
	case err != nil:
		return nil, failed(ctx, err, d.config)
	}
	return ages, nil
}

func (d *driver) oldestAges(ctx context.Context, queues []string) ([]broker.Age, error) {
	conn, err := dial(ctx, d.config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.conn.Close() }()
	ages := make([]broker.Age, len(queues))
	asked, peeks := peeks(queues)
	if len(asked) == 0 {
		return ages, nil
	}
	var jobs []next
	err = conn.exchange(ctx, peeks, func(in *bufio.Reader) (err error) {
		jobs, err = readPeeks(in, queues, asked)
		return err
	})
	if err != nil || len(jobs) == 0 {
		return ages, err
	}
	var stats strings.Builder
	for _, job := range jobs {
		fmt.Fprintf(&stats, "stats-job %d\r\n", job.id)
	}
	return ages, conn.exchange(ctx, stats.String(), func(in *bufio.Reader) error {
		for _, job := range jobs {
			age, err := readAge(in, queues[job.queue], job.id)
			if err != nil {
				return err
			}
			ages[job.queue] = age
		}
		return nil
	})
}

// peeks has the commands that look at the next job of each tube, and which tubes they are for. A job is not changed by
// them.
func peeks(queues []string) (asked []int, commands string) {
	var b strings.Builder
	for i, queue := range queues {
		if checkTube(queue) != nil {
			continue
		}
		fmt.Fprintf(&b, "use %s\r\npeek-ready\r\n", queue)
		asked = append(asked, i)
	}
	return asked, b.String()
}

// readPeeks reads the answers, and has the next job of each tube that has one. What the jobs are is thrown away.
func readPeeks(in *bufio.Reader, queues []string, asked []int) (jobs []next, err error) {
	left := uint64(mostPeeked)
	for _, i := range asked {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		if line != "USING "+queues[i] {
			return nil, refusal{line}
		}
		if line, err = readLine(in); err != nil {
			return nil, err
		}
		if line == "NOT_FOUND" {
			continue
		}
		id, size, err := parseFound(line)
		switch {
		case err != nil:
			return nil, err
		case size > left:
			return nil, errPeeked
		}
		left -= size
		if err := skipBody(in, int(size)); err != nil {
			return nil, err
		}
		jobs = append(jobs, next{i, id})
	}
	return jobs, nil
}

// parseFound reads the line before a job.
func parseFound(line string) (id, size uint64, err error) {
	words := strings.Split(line, " ")
	if len(words) != 3 || words[0] != "FOUND" {
		return 0, 0, refusal{line}
	}
	id, noID := strconv.ParseUint(words[1], 10, 64)
	size, noSize := strconv.ParseUint(words[2], 10, 31)
	if noID != nil || noSize != nil {
		return 0, 0, strange{"the server sent a job without its number or its length"}
	}
	return id, size, nil
}

// longestAge is above every age and delay that a job can have.
const longestAge = 1 << 32

// readAge reads the answer to one stats-job. A job that is gone meanwhile, or does not wait any more, has no age.
func readAge(in *bufio.Reader, tube string, id uint64) (broker.Age, error) {
	body, err := readBody(in)
	if err != nil || body == nil {
		return broker.Age{}, err
	}
	fields, err := parseFields(body)
	if err != nil {
		return broker.Age{}, err
	}
	if fields["id"] != strconv.FormatUint(id, 10) || !isName(fields["tube"], tube) {
		return broker.Age{}, strange{fmt.Sprintf("the server answered of another job than %d of the tube %q", id, tube)}
	}
	age, noAge := strconv.ParseUint(fields["age"], 10, 64)
	delay, noDelay := strconv.ParseUint(fields["delay"], 10, 64)
	switch {
	case noAge != nil || noDelay != nil:
		return broker.Age{}, strange{"the server sent no number as the age or the delay of a job"}
	case age >= longestAge || delay > age:
		// A clock that was set back makes the age a huge number; a job that a person has kicked has not waited for its delay.
		return broker.Age{}, nil
	case fields["state"] == "ready", fields["state"] == "reserved": // until a moment ago it waited
		return broker.AgeOf(time.Duration(age-delay) * time.Second), nil
	}
	return broker.Age{}, nil
}
