package rabbitmq

import (
	"encoding/json"
	"errors"
	"io"
)

// limits bound an answer of the management API.
type limits struct {
	// answer is how many bytes it may have, and element how many one queue, consumer or channel may: that bounds as well how
	// deep it is nested.
	answer, element int
	// elements is how many of them there may be.
	elements int
}

// most is far above what servers answer: 100,000 queues have 10 MiB.
var most = limits{answer: 32 << 20, element: 64 << 10, elements: 200_000}

// Failures of an answer.
var (
	errNoJSON   = strange{"the management API answered something else than JSON"}
	errTooMuch  = strange{"the management API answers too much"}
	errExceeded = errors.New("an answer is longer than it may be")
)

// bounded reads as much as is left of both bounds.
type bounded struct {
	io.Reader
	left, element int
}

func (b *bounded) Read(p []byte) (int, error) {
	left := min(b.left, b.element)
	if left <= 0 {
		return 0, errExceeded
	}
	n, err := b.Reader.Read(p[:min(len(p), left)])
	b.left -= n
	b.element -= n
	return n, err
}

// object is an object that the server writes as an empty array where it has no fields, as Erlang's lists of properties are.
type object[T any] struct{ value T }

// UnmarshalJSON is json.Unmarshaler's.
func (o *object[T]) UnmarshalJSON(text []byte) error {
	if string(text) == "[]" {
		return nil
	}
	return json.Unmarshal(text, &o.value)
}

// decodeList decodes an array, one element after another, and keeps none of them.
func decodeList[T any](in io.Reader, l limits, each func(T) error) error {
	bounds := &bounded{Reader: in, left: l.answer, element: l.element}
	decoder := json.NewDecoder(bounds)
	if first, err := decoder.Token(); err != nil || first != json.Delim('[') {
		return unreadable(err, errNoJSON)
	}
	for n := 0; decoder.More(); n++ {
		if n >= l.elements {
			return errTooMuch
		}
		bounds.element = l.element
		var element object[T]
		if err := decoder.Decode(&element); err != nil {
			return unreadable(err, errNoJSON)
		}
		if err := each(element.value); err != nil {
			return err
		}
	}
	// Without its end, an array has lost who knows how many elements.
	if last, err := decoder.Token(); err != nil || last != json.Delim(']') {
		return unreadable(err, errNoJSON)
	}
	_, _ = io.CopyN(io.Discard, in, int64(l.element)) // so that the connection can be used again
	return nil
}

// decodeOne decodes an object.
func decodeOne(in io.Reader, into any) error {
	err := json.NewDecoder(&bounded{Reader: in, left: most.element, element: most.element}).Decode(into)
	if err != nil {
		return unreadable(err, errNoJSON)
	}
	return nil
}

// unreadable tells an answer that is no JSON from a connection that broke.
func unreadable(err error, odd error) error {
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case errors.Is(err, errExceeded):
		return errTooMuch
	case err == nil, errors.As(err, &syntax), errors.As(err, &kind):
		return odd
	}
	return err
}
