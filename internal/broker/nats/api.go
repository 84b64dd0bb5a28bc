package nats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Codes of errors of the JetStream API.
const (
	codeConsumerNotFound  = 10014
	codeStreamNotFound    = 10059
	codeNotEnabled        = 10076
	codeNotEnabledAccount = 10039
)

// mostMessages bounds a count: more than any stream has.
const mostMessages = 1 << 40

// apiError is what the API answers in place of what it was asked for.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s (%d)", broker.ErrorWords(e.Description, broker.Secret{}), e.ErrCode)
}

const (
	// mostSubjects is how many subjects are looked at of one stream or consumer.
	mostSubjects = 100
	// mostSubjectBytes is how many bytes they may have together.
	mostSubjectBytes = 16 << 10
	// noSubject stands in the place of a text that can be no subject, and of those beyond mostSubjectBytes. It is none itself.
	noSubject = "."
)

// subject is a text that can be a subject, or empty; noSubject in the place of another.
type subject string

// UnmarshalJSON keeps no text that cannot be subscribed to.
func (s *subject) UnmarshalJSON(text []byte) error {
	var whole string
	if err := json.Unmarshal(text, &whole); err != nil {
		return err
	}
	if *s = subject(whole); whole != "" && !isSubject(whole) {
		*s = noSubject
	}
	return nil
}

// present is true for a field that is there, whatever it has.
type present bool

// UnmarshalJSON keeps nothing of the text.
func (p *present) UnmarshalJSON(text []byte) error {
	*p = string(text) != "null"
	return nil
}

// kept is the error with so much of its words as is shown.
func (e *apiError) kept() *apiError {
	return &apiError{Code: e.Code, ErrCode: e.ErrCode, Description: strings.Clone(broker.ErrorWords(e.Description, broker.Secret{}))}
}

// few are the first of a list of subjects.
type few []string

// UnmarshalJSON keeps one more than mostSubjects, which tells that there are more. It ends with noSubject where they have
// more than mostSubjectBytes.
func (f *few) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return err
	}
	left := mostSubjectBytes
	for *f = nil; decoder.More() && len(*f) <= mostSubjects; {
		var s subject
		if err := decoder.Decode(&s); err != nil {
			return err
		}
		if left -= len(s); left < 0 {
			*f = append(*f, noSubject)
			return nil
		}
		*f = append(*f, string(s))
	}
	return nil
}

// consumerInfo is so much of an answer to CONSUMER.INFO as is looked at.
type consumerInfo struct {
	Error         *apiError `json:"error"`
	Stream        string    `json:"stream_name"`
	Name          string    `json:"name"`
	NumPending    *int64    `json:"num_pending"`
	NumAckPending *int64    `json:"num_ack_pending"`
	NumAgain      int64     `json:"num_redelivered"`
	Delivered     struct {
		ConsumerSeq *int64 `json:"consumer_seq"`
	} `json:"delivered"`
	Config struct {
		AckPolicy      string          `json:"ack_policy"`
		AckWait        time.Duration   `json:"ack_wait"`
		BackOff        []time.Duration `json:"backoff"`
		MaxDeliver     int64           `json:"max_deliver"`
		FilterSubject  subject         `json:"filter_subject"`
		FilterSubjects few             `json:"filter_subjects"`
	} `json:"config"`
}

// filters are the subjects that the consumer takes; none where it takes all.
func (i consumerInfo) filters() []string {
	if i.Config.FilterSubject != "" {
		return []string{string(i.Config.FilterSubject)}
	}
	return i.Config.FilterSubjects
}

// depth is what the consumer has to do.
func (i consumerInfo) depth() broker.Depth {
	d := broker.Depth{Waiting: broker.CountOf(*i.NumPending), InFlight: broker.CountOf(*i.NumAckPending), CountsAll: true}
	if sent := i.Delivered.ConsumerSeq; isCount(sent) && *sent >= *i.NumAckPending {
		d.Settled = broker.CountOf(*sent - *i.NumAckPending) // an attempt that was given up is settled too
	}
	if i.Config.AckPolicy == "none" { // what is delivered is forgotten
		d.InFlight = broker.Count{}
	}
	return d
}

// streamInfo is so much of an answer to STREAM.INFO as is looked at.
type streamInfo struct {
	Error  *apiError `json:"error"`
	Config struct {
		Name      string  `json:"name"`
		Subjects  few     `json:"subjects"`
		Transform present `json:"subject_transform"`
		Mirror    present `json:"mirror"`
		Sources   present `json:"sources"`
	} `json:"config"`
	State struct {
		Messages *int64 `json:"messages"`
	} `json:"state"`
}

// errTooLong is the answer to a consumer or a stream with more in its settings than any should have.
var errTooLong = fmt.Errorf("the server's answer has more than %d KiB", longestAnswer>>10)

// errTooMuch is the answer to all that is left of an exchange whose answers have too much together.
var errTooMuch = fmt.Errorf("the server's answers to all that was asked at once have more than %d KiB, and %d KiB for each of them; remove metadata from its consumers and streams",
	longestAnswer>>10, bytesPerAnswer>>10)

func decode(text []byte, into any) error {
	switch string(text) {
	case tooLong:
		return errTooLong
	case tooMuch:
		return errTooMuch
	}
	if err := json.Unmarshal(text, into); err != nil {
		return strange{"the server sent an answer that cannot be read"}
	}
	return nil
}

// parseConsumer reads an answer, which must be of the consumer that was asked for.
func parseConsumer(text []byte, q key) (consumerInfo, error) {
	var info consumerInfo
	switch err := decode(text, &info); {
	case err != nil:
		return info, err
	case info.Error != nil:
		return info, info.Error.kept()
	case info.Stream != q.stream || info.Name != q.consumer:
		return info, strange{fmt.Sprintf("the server answered of the consumer %q of the stream %q, and was asked of another",
			broker.Words(info.Name, broker.Secret{}), broker.Words(info.Stream, broker.Secret{}))}
	case !isCount(info.NumPending):
		return info, strange{"the server sent no number as num_pending"}
	case !isCount(info.NumAckPending):
		return info, strange{"the server sent no number as num_ack_pending"}
	}
	return info, nil
}

// parseStream reads an answer, which must be of the stream that was asked for.
func parseStream(text []byte, stream string) (streamInfo, error) {
	var info streamInfo
	switch err := decode(text, &info); {
	case err != nil:
		return info, err
	case info.Error != nil:
		return info, info.Error.kept()
	case info.Config.Name != stream:
		return info, strange{fmt.Sprintf("the server answered of the stream %q, and was asked of another", broker.Words(info.Config.Name, broker.Secret{}))}
	case !isCount(info.State.Messages):
		return info, strange{"the server sent no number as messages"}
	}
	return info, nil
}

func isCount(n *int64) bool { return n != nil && *n >= 0 && *n <= mostMessages }
