package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"
)

// followEvery is how often a log that is followed is looked at.
const followEvery = 100 * time.Millisecond

// logQuery is what `kubectl logs` asks for.
type logQuery struct {
	follow, previous bool
	tail             int64 // lines; below 0 for all
	limit            int64 // bytes; below 0 for all
}

var errNoTimes = errors.New("a container's log is the file that its process writes, which has no times: leave out --timestamps, --since and --since-time")

func parseLogQuery(values url.Values) (logQuery, error) {
	q := logQuery{follow: values.Get("follow") == "true", previous: values.Get("previous") == "true", tail: -1, limit: -1}
	if values.Get("timestamps") == "true" || values.Has("sinceSeconds") || values.Has("sinceTime") {
		return q, errNoTimes
	}
	for name, number := range map[string]*int64{"tailLines": &q.tail, "limitBytes": &q.limit} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return q, fmt.Errorf("%s is %q, and not a number of 0 or more", name, text)
		}
		*number = n
	}
	return q, nil
}

var errNoPreviousRun = errors.New("the container has not been restarted, or not since this node was started: it has no previous log")

// read writes what one run has written. With follow it goes on until the run ends, another begins, or the context ends.
func (l *logs) read(ctx context.Context, path string, q logQuery, out io.Writer) error {
	if q.limit >= 0 {
		out = &limitedWriter{out, q.limit}
	}
	runs := l.of(path)
	latest := len(runs.begins) - 1
	begin, end := int64(0), int64(-1)
	switch {
	case q.previous && latest < 1:
		return errNoPreviousRun
	case q.previous:
		begin, end = runs.begins[latest-1], runs.begins[latest]
	case latest >= 0:
		begin = runs.begins[latest]
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if end < 0 {
		if end, err = file.Seek(0, io.SeekEnd); err != nil {
			return err
		}
	}
	if q.tail >= 0 {
		if begin, err = lastLines(file, begin, end, q.tail); err != nil {
			return err
		}
	}
	if _, err := io.Copy(out, io.NewSectionReader(file, begin, end-begin)); err != nil || !q.follow || q.previous {
		return err
	}
	return l.follow(ctx, file, path, end, latest, out)
}

// follow copies what comes after a place in the file.
func (l *logs) follow(ctx context.Context, file *os.File, path string, from int64, run int, out io.Writer) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		// Asked before the file is read: what an ended run has written is there.
		runs := l.of(path)
		over := !runs.running || len(runs.begins)-1 != run
		end := int64(1<<63 - 1)
		if len(runs.begins)-1 > run {
			end = runs.begins[run+1]
		}
		n, err := io.Copy(out, io.NewSectionReader(file, from, end-from))
		if err != nil || over {
			return err
		}
		from += n
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lastLines is where the last n lines of a part of a file begin.
func lastLines(file io.ReaderAt, begin, end, n int64) (int64, error) {
	if n == 0 {
		return end, nil
	}
	chunk := make([]byte, 32<<10)
	found := int64(-1) // the end of the last line is none
	for at := end; at > begin; {
		part := chunk[:min(int64(len(chunk)), at-begin)]
		at -= int64(len(part))
		if _, err := file.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if found < 0 {
			found = 0
			if part[len(part)-1] != '\n' {
				found = 1 // a line that is not complete
			}
		}
		for i := bytes.LastIndexByte(part, '\n'); i >= 0; i = bytes.LastIndexByte(part[:i], '\n') {
			if found == n {
				return at + int64(i) + 1, nil
			}
			found++
		}
	}
	return begin, nil
}

// limitedWriter fails with io.EOF once it has passed on so many bytes.
type limitedWriter struct {
	out  io.Writer
	left int64
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	n, err := w.out.Write(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}
