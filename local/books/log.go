package books

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// line is one that a worker wrote about a task.
type line struct {
	at   time.Time
	done bool // else started
	task string
}

// parse reads "1767225600123 started t-17". Any other line is not about a task.
func parse(s string) (line, bool) {
	fields := strings.SplitN(s, " ", 3)
	if len(fields) != 3 || (fields[1] != "started" && fields[1] != "done") {
		return line{}, false
	}
	ms, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return line{}, false
	}
	return line{at: time.UnixMilli(ms), done: fields[1] == "done", task: fields[2]}, true
}

// follower reads a log as it grows.
type follower struct {
	path string
	read int64
}

// next returns the complete lines that were added since the last call. A log that is not there yet is empty.
func (f *follower) next() ([]line, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.NewSectionReader(file, f.read, 1<<62))
	if err != nil {
		return nil, err
	}
	complete := data[:bytes.LastIndexByte(data, '\n')+1]
	f.read += int64(len(complete))
	var lines []line
	for s := range strings.Lines(string(complete)) {
		if l, ok := parse(strings.TrimSuffix(s, "\n")); ok {
			lines = append(lines, l)
		}
	}
	return lines, nil
}
