package apicalls

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// failure is how a read has failed: the error, or else the answer, which is kept as it came.
type failure struct {
	err    error
	status int
	// contentType and text are those of the answer.
	contentType, text string
}

// longestText is how long an answer is that is kept: many reads may fail at once. Those of the API server are shorter.
const longestText = 2 << 10

// failureOf reads the answer, which can be read again. Of one that is too long, or that breaks, nothing is known.
func failureOf(response *http.Response) failure {
	text, err := io.ReadAll(io.LimitReader(response.Body, longestText+1))
	response.Body = &halfRead{io.MultiReader(bytes.NewReader(text), response.Body), response.Body}
	if err != nil || len(text) > longestText {
		return failure{}
	}
	return failure{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), text: string(text)}
}

// halfRead is the body of an answer of which a part was read.
type halfRead struct {
	io.Reader
	io.Closer
}

// isKnown reports whether there is an answer that can be given again.
func (f failure) isKnown() bool { return f.err != nil || f.status != 0 }

// again is the same answer, to another request. It does not say when to ask again.
func (f failure) again(r *http.Request) (*http.Response, error) {
	if f.err != nil {
		return nil, f.err
	}
	return &http.Response{
		Status: http.StatusText(f.status), StatusCode: f.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {f.contentType}}, Body: io.NopCloser(strings.NewReader(f.text)),
		ContentLength: int64(len(f.text)), Request: r,
	}, nil
}
