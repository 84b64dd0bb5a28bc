package redis

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// mostMasters is how many masters a cluster has at most: as many as the documentation of Redis recommends.
const mostMasters = 1000

// member is a master of a cluster.
type member struct{ id, address string }

// topology is which master has which slot, as one node sees it.
type topology struct {
	masters []member
	// owners has the place of its master for each slot, and none for a slot that nobody has.
	owners [slots]int16
	// self is the node that was asked, where it is one of the masters.
	self member
}

const none = -1

// of is the master that has a slot.
func (t *topology) of(slot int) (member, bool) {
	if owner := t.owners[slot]; owner != none {
		return t.masters[owner], true
	}
	return member{}, false
}

func (t *topology) has(m member) bool { return slices.Contains(t.masters, m) }

var errNoTopology = errors.New("the server answers CLUSTER NODES in a way that Redis does not")

// parseTopology reads what CLUSTER NODES answers: a line for each node,
//
//	id ip:port@port,name flags master ping pong epoch link slots...
//
// A node may not know its own address: it has the one at which it was asked. Nodes that have a name are reached by it
// where byName is true.
func parseTopology(text, asked string, byName bool) (*topology, error) {
	t := &topology{}
	for i := range t.owners {
		t.owners[i] = none
	}
	for line := range strings.Lines(strings.TrimPrefix(text, "txt:")) { // RESP3 begins a text that is to be shown as it is by that
		fields := strings.Fields(line)
		const head = 8
		if len(fields) < head {
			return nil, errNoTopology
		}
		flags := strings.Split(fields[2], ",")
		if len(fields) == head || !slices.Contains(flags, "master") || slices.Contains(flags, "noaddr") {
			continue // a replica, or a master without slots
		}
		address, err := addressOfNode(fields[1], asked, byName)
		if err != nil {
			return nil, err
		}
		m := member{id: strings.Clone(fields[0]), address: address}
		if !hostName.MatchString(m.id) {
			return nil, errNoTopology
		}
		if len(t.masters) == mostMasters {
			return nil, fmt.Errorf("the cluster has more than %d masters", mostMasters)
		}
		t.masters = append(t.masters, m)
		if slices.Contains(flags, "myself") {
			t.self = m
		}
		if err := t.give(fields[head:]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// give gives slots to the last master: numbers and ranges. What stands in brackets is being moved, and has not been yet.
func (t *topology) give(ranges []string) error {
	for _, text := range ranges {
		if strings.HasPrefix(text, "[") {
			continue
		}
		low, high, isRange := strings.Cut(text, "-")
		if !isRange {
			high = low
		}
		first, err := strconv.Atoi(low)
		last, errLast := strconv.Atoi(high)
		if err != nil || errLast != nil || first < 0 || first > last || last >= slots {
			return errNoTopology
		}
		for slot := first; slot <= last; slot++ {
			t.owners[slot] = int16(len(t.masters) - 1) //nolint:gosec // mostMasters fits
		}
	}
	return nil
}

// addressOfNode is where a node is reached, of what it says of its address, such as 10.0.0.1:6379@16379,redis-0.
func addressOfNode(text, asked string, byName bool) (string, error) {
	text, name, _ := strings.Cut(text, ",")
	name, _, _ = strings.Cut(name, ",")
	text, _, _ = strings.Cut(text, "@")
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return "", errNoTopology
	}
	host, port := text[:colon], text[colon+1:]
	if byName && name != "" {
		host = name
	}
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(asked); err != nil {
			return "", err
		}
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || !hostName.MatchString(host) {
		return "", fmt.Errorf("a node of the cluster has the address %q, which cannot be", broker.Words(text, broker.Secret{}))
	}
	return net.JoinHostPort(host, port), nil
}
