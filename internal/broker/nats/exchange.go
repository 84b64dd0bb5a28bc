package nats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	// mostAsked is how many requests are under way at once. A server drops all that it has not looked at where they are more
	// than 10000.
	mostAsked = 1000
	// replyTimeout bounds one round trip.
	replyTimeout = 5 * time.Second
	// waitForRest is how long the last answers are waited for once others have come: a consumer whose leader is being elected
	// gives none, and holds up nobody else for longer.
	waitForRest = time.Second
	// waitForKnownSilent is the same for requests that had no answer the last time.
	waitForKnownSilent = 100 * time.Millisecond
)

// Why a request has no answer of the API.
var (
	errSilent = errors.New("no answer in time")
	errDenied = errors.New("permission denied")
	errNobody = errors.New("nobody answers")
)

// read takes in the answer to one of the requests, by its place in the list. It keeps nothing of the text: answers may be
// long.
type read func(i int, text []byte) error

// ask sends requests without a body to these subjects, and has each answer read as soon as it comes. It returns why each has
// none, or why it could not be read, and how many had an answer, be it a refusal. Those of whom nothing came have errSilent.
// Without any, it makes sure that the server answers.
func (d *driver) ask(ctx context.Context, subjects []string, read read) (failures []error, answered int, err error) {
	failures = make([]error, len(subjects))
	for first := 0; first == 0 || first < len(subjects); first += mostAsked {
		last := min(first+mostAsked, len(subjects))
		n, err := d.askSome(ctx, waiting{
			subjects: subjects[first:last], failures: failures[first:last],
			read: func(i int, text []byte) error { return read(first+i, text) },
		})
		if err != nil {
			return nil, 0, err
		}
		answered += n
	}
	return failures, answered, nil
}

// askSome is one round trip.
func (d *driver) askSome(outer context.Context, w waiting) (answered int, err error) {
	ctx, cancel := context.WithTimeout(outer, replyTimeout)
	defer cancel()
	d.forgetLate()
	d.guard.expect(len(w.subjects), d.bells.len())
	w.inboxes, w.at = make(map[string]int, len(w.subjects)), make(map[string]int, len(w.subjects))
	for i, subject := range w.subjects {
		d.asked++
		inbox := d.inbox + "." + strconv.FormatUint(d.asked, 36)
		w.inboxes[inbox], w.at[subject] = i, i
		w.failures[i] = errSilent
		if err := d.conn.PublishRequest(subject, inbox, nil); err != nil {
			return 0, err
		}
	}
	// The server answers this once it has passed on all that was sent before it.
	if err := d.conn.FlushWithContext(ctx); err != nil {
		return 0, err
	}
	defer func() { d.noteSilent(w.subjects, w.failures) }()
	timer := time.NewTimer(replyTimeout) // longer than ctx; answers make it shorter
	defer timer.Stop()
	for len(w.inboxes) > 0 {
		select {
		case m := <-d.replies:
			w.take(m)
		case subject := <-d.denied:
			w.deny(subject)
		case <-timer.C:
			return w.answered, nil
		case <-ctx.Done():
			if outer.Err() != nil && w.answered == 0 {
				return 0, ctx.Err()
			}
			return w.answered, nil
		case <-d.noInbox:
			return 0, errDenied
		case <-d.closed.Done():
			return 0, nats.ErrConnectionClosed
		}
		if w.answered > 0 {
			timer.Reset(d.waitFor(w))
		}
	}
	return w.answered, nil
}

// waiting are the requests of one round trip: where the answer to each is expected, and where each is in the list.
type waiting struct {
	subjects    []string
	failures    []error
	read        read
	inboxes, at map[string]int
	answered    int
}

func (w *waiting) take(m *nats.Msg) {
	if i, ok := w.inboxes[m.Subject]; ok {
		delete(w.inboxes, m.Subject)
		if w.failures[i] = nobody(m); w.failures[i] == nil {
			w.failures[i] = w.read(i, m.Data)
		}
		w.answered++
	}
}

func (w *waiting) deny(subject string) {
	i, ok := w.at[subject]
	if !ok || !errors.Is(w.failures[i], errSilent) {
		return
	}
	w.failures[i] = errDenied
	maps.DeleteFunc(w.inboxes, func(_ string, of int) bool { return of == i })
	w.answered++
}

// forgetLate drops what came after nobody waited for it any more.
func (d *driver) forgetLate() {
	for {
		select {
		case <-d.replies:
		case <-d.denied:
		default:
			return
		}
	}
}

// waitFor is how long the answers that are missing are waited for.
func (d *driver) waitFor(w waiting) time.Duration {
	for _, i := range w.inboxes {
		if !d.silent[w.subjects[i]] {
			return waitForRest
		}
	}
	return waitForKnownSilent
}

// noteSilent remembers which requests had no answer.
func (d *driver) noteSilent(subjects []string, failures []error) {
	if len(d.silent) > mostLines {
		clear(d.silent) // of queues that nobody asks for any more
	}
	for i, subject := range subjects {
		if errors.Is(failures[i], errSilent) {
			d.silent[subject] = true
		} else {
			delete(d.silent, subject)
		}
	}
}

// nobody tells the server's word that there is nobody who answers from an answer of the API.
func nobody(m *nats.Msg) error {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return errNobody
	}
	return nil
}

// refusedSubject finds what may not be published to, or subscribed to, in the server's words.
var refusedSubject = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "([^"\s]+)"`)

// asyncError is told what the server refuses beside its answers.
func (d *driver) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && sub != nil {
		d.bells.missed(sub)
		return
	}
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		d.bells.full()
		return
	}
	found := refusedSubject.FindStringSubmatch(err.Error())
	if found == nil {
		return
	}
	if found[1] == "Subscription" || found[1] == "subscription" {
		d.refusedSubscription(found[2])
		return
	}
	select {
	case d.denied <- found[2]:
	default: // it then has no answer in time
	}
}

// explain puts what came of the request for one queue into words.
func (d *driver) explain(err error, q broker.Query, subject string) error {
	at := fmt.Sprintf("nats at %s: stream %q, consumer %q", d.config.Address, broker.Words(q.Queue, broker.Secret{}), broker.Words(q.Group, broker.Secret{}))
	var refused *apiError
	switch {
	case errors.Is(err, errDenied):
		return broker.Fail(broker.ReasonPermissionDenied, at, "the server does not let this user publish to "+broker.Words(subject, broker.Secret{})+"; allow it", err)
	case errors.Is(err, errSilent):
		return broker.Fail(broker.ReasonTimeout, at, "no answer in time, while others were answered; its leader may be away", err)
	case errors.As(err, &refused) && refused.ErrCode == codeStreamNotFound:
		return broker.Fail(broker.ReasonQueueNotFound, at, "there is no such stream; create it, or correct scaleConfig.queue", err)
	case errors.As(err, &refused):
		return broker.Fail(broker.ReasonUnknown, at, "JetStream answers: "+refused.Error(), err)
	}
	return broker.Fail(broker.ReasonUnknown, at, err.Error(), err)
}

// noJetStream is the failure of all queues where nobody answers for JetStream.
func (d *driver) noJetStream(err error) error {
	return broker.Fail(ReasonNoJetStream, "nats at "+d.config.Address, fmt.Sprintf(
		"JetStream does not answer at %s; enable it on the server and for the account of this user, or correct config.nats", broker.Words(d.config.API, broker.Secret{})), err)
}

// ReasonNoJetStream is the class of failures of a server, an account or a domain without JetStream.
const ReasonNoJetStream broker.Reason = "NoJetStream"

// withoutJetStream reports whether an answer says that there is no JetStream.
func withoutJetStream(err error) bool {
	var refused *apiError
	return errors.Is(err, errNobody) || (errors.As(err, &refused) && (refused.ErrCode == codeNotEnabled || refused.ErrCode == codeNotEnabledAccount))
}

// refusedSubscription is told of a subject that may not be subscribed to: that of the answers, or one of the doorbell.
func (d *driver) refusedSubscription(subject string) {
	if subject != d.inbox+".*" {
		d.bells.refused(subject)
		return
	}
	d.refuseInbox.Do(func() { close(d.noInbox) })
}
