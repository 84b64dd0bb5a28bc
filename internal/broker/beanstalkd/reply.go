package beanstalkd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
)

// Bounds of what a server may send: far above what it does.
const (
	longestLine = 1 << 10
	longestBody = 16 << 10
)

// refusal is what a server answers in place of what it was asked for.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// strange is an answer that no Beanstalkd gives.
type strange struct{ what string }

func (s strange) Error() string { return s.what + "; is it Beanstalkd?" }

// readLine reads a line without its end.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), len(line) > longestLine:
		return "", strange{"the server sent a line without an end"}
	case err != nil:
		return "", err
	}
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return "", strange{"the server sent a line that ends in another way"}
	}
	return string(text), nil
}

// readDepth reads the answer to one stats-tube.
func readDepth(in *bufio.Reader, tube string) (broker.Depth, error) {
	line, err := readLine(in)
	if err != nil {
		return broker.Depth{}, err
	}
	if line == "NOT_FOUND" { // a tube is there while it has jobs or somebody uses or watches it
		return broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), CountsAll: true}, nil
	}
	length, ok := bytes.CutPrefix([]byte(line), []byte("OK "))
	if !ok {
		return broker.Depth{}, refusal{line}
	}
	size, err := strconv.ParseUint(string(length), 10, 31)
	if err != nil || size > longestBody {
		return broker.Depth{}, strange{"the server sent a length that cannot be"}
	}
	body := make([]byte, size+uint64(len("\r\n")))
	if _, err := io.ReadFull(in, body); err != nil {
		return broker.Depth{}, err
	}
	body, ok = bytes.CutSuffix(body, []byte("\r\n"))
	if !ok {
		return broker.Depth{}, strange{"the server sent a body that is longer than it said"}
	}
	return parseStats(body, tube)
}

// parseStats reads the flat YAML of stats-tube. Each number must be there once, and it must be of the tube.
func parseStats(body []byte, tube string) (broker.Depth, error) {
	fields := map[string]string{}
	for line := range bytes.Lines(body) {
		name, value, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		if !ok {
			continue // the dashes at the beginning
		}
		if _, twice := fields[string(name)]; twice {
			return broker.Depth{}, strange{fmt.Sprintf("the server sent %q twice", broker.Words(string(name), broker.Secret{}))}
		}
		fields[string(name)] = string(value)
	}
	// Versions from 1.13 on quote it.
	if name := fields["name"]; name != tube && name != strconv.Quote(tube) {
		return broker.Depth{}, strange{fmt.Sprintf("the server answered of the tube %q, and was asked of %q", broker.Words(name, broker.Secret{}), tube)}
	}
	count := func(name string) (broker.Count, error) {
		n, err := strconv.ParseInt(fields[name], 10, 64)
		if err != nil || n < 0 {
			return broker.Count{}, strange{"the server sent no number as " + name}
		}
		return broker.CountOf(n), nil
	}
	ready, err := count("current-jobs-ready")
	if err != nil {
		return broker.Depth{}, err
	}
	reserved, err := count("current-jobs-reserved")
	if err != nil {
		return broker.Depth{}, err
	}
	return broker.Depth{Waiting: ready, InFlight: reserved, CountsAll: true}, nil
}
