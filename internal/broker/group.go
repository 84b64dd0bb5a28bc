package broker

import (
	"fmt"
	"strings"
)

// groupMark is between a queue and its group in a name. The API server accepts it in neither.
const groupMark = "\x00"

// Name is the queue, and its consumer group where it has one, in one word: what a Reclaimer calls it.
func (q Query) Name() string { return NameOf(q.Queue, q.Group) }

// NameOf is the name of a queue as a consumer group has it; see Query.Name.
func NameOf(queue, group string) string {
	if group == "" {
		return queue
	}
	return queue + groupMark + group
}

// SplitName is the queue and the consumer group of a name, "" where it has none.
func SplitName(name string) (queue, group string) {
	queue, group, _ = strings.Cut(name, groupMark)
	return queue, group
}

// NoGroup is what is wrong with a query of a broker whose queues have no consumer groups, nil where it names none. Has
// says of what kind they are, such as "a tube".
func NoGroup(q Query, has string) error {
	if q.Group == "" {
		return nil
	}
	return &Error{Reason: ReasonInvalidGroup, Message: fmt.Sprintf(
		"scaleConfig.consumerGroup is %q, and %s has no consumer groups; remove it", Words(q.Group, Secret{}), has)}
}

// NeedsGroup is what is wrong with a query of a broker whose queues are read by consumer groups, nil where it names one.
// Has says of what kind the queues are, and names what a group is there, such as "a stream is read by its consumer groups".
func NeedsGroup(q Query, has string) error {
	if q.Group != "" {
		return nil
	}
	return &Error{Reason: ReasonInvalidGroup, Message: fmt.Sprintf(
		"queue %q: %s; set scaleConfig.consumerGroup to the group that the workers are", Words(q.Queue, Secret{}), has)}
}
