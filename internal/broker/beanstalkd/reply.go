package beanstalkd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

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

// readBody reads an answer that has a body; nil is NOT_FOUND.
func readBody(in *bufio.Reader) ([]byte, error) {
	line, err := readLine(in)
	if err != nil || line == "NOT_FOUND" {
		return nil, err
	}
	length, ok := strings.CutPrefix(line, "OK ")
	if !ok {
		return nil, refusal{line}
	}
	size, err := strconv.ParseUint(length, 10, 31)
	if err != nil || size > longestBody {
		return nil, strange{"the server sent a length that cannot be"}
	}
	body := make([]byte, size+uint64(len("\r\n")))
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, err
	}
	body, ok = bytes.CutSuffix(body, []byte("\r\n"))
	if !ok {
		return nil, errTooLong
	}
	return body, nil
}

// skipBody reads a body of so many bytes, and keeps nothing of it.
func skipBody(in *bufio.Reader, size int) error {
	if _, err := in.Discard(size); err != nil {
		return err
	}
	end := make([]byte, len("\r\n"))
	if _, err := io.ReadFull(in, end); err != nil {
		return err
	}
	if string(end) != "\r\n" {
		return errTooLong
	}
	return nil
}

var errTooLong = strange{"the server sent a body that is longer than it said"}

// parseFields reads the flat YAML of an answer. Each field must be there once.
func parseFields(body []byte) (map[string]string, error) {
	fields := map[string]string{}
	for line := range bytes.Lines(body) {
		name, value, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(": "))
		if !ok {
			continue // the dashes at the beginning
		}
		if _, twice := fields[string(name)]; twice {
			return nil, strange{fmt.Sprintf("the server sent %q twice", broker.Words(string(name), broker.Secret{}))}
		}
		fields[string(name)] = string(value)
	}
	return fields, nil
}

// isName reports whether a field is the name of a tube. Versions from 1.13 on quote it.
func isName(field, tube string) bool { return field == tube || field == strconv.Quote(tube) }

// readDepth reads the answer to one stats-tube, which must be of the tube.
func readDepth(in *bufio.Reader, tube string) (broker.Depth, error) {
	body, err := readBody(in)
	if err != nil {
		return broker.Depth{}, err
	}
	if body == nil { // a tube is there while it has jobs or somebody uses or watches it
		return broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), CountsAll: true}, nil
	}
	fields, err := parseFields(body)
	if err != nil {
		return broker.Depth{}, err
	}
	if !isName(fields["name"], tube) {
		return broker.Depth{}, strange{fmt.Sprintf("the server answered of the tube %q, and was asked of %q", broker.Words(fields["name"], broker.Secret{}), tube)}
	}
	ready, err := count(fields, "current-jobs-ready")
	if err != nil {
		return broker.Depth{}, err
	}
	reserved, err := count(fields, "current-jobs-reserved")
	if err != nil {
		return broker.Depth{}, err
	}
	depth := broker.Depth{Waiting: ready, InFlight: reserved, CountsAll: true}
	if _, told := fields["cmd-delete"]; told {
		if depth.Settled, err = count(fields, "cmd-delete"); err != nil {
			return broker.Depth{}, err
		}
	}
	return depth, nil
}

func count(fields map[string]string, name string) (broker.Count, error) {
	n, err := strconv.ParseInt(fields[name], 10, 64)
	if err != nil || n < 0 {
		return broker.Count{}, strange{"the server sent no number as " + name}
	}
	return broker.CountOf(n), nil
}
