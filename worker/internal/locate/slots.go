package locate

import (
	"errors"
	"fmt"

	"github.com/redis/rueidis"
)

// slots is what one node knows.
type slots struct {
	by, owner string
	// nodes are all that it knows, masters and replicas.
	nodes []string
}

// Places in the answer to CLUSTER SLOTS: of a range of slots, and of a node of it. The first node of a range has it, and the
// others are its replicas.
const (
	rangeStart = iota
	rangeEnd
	rangeNodes
)

const (
	nodeHost = iota
	nodePort
	nodeFields
)

// errNotSlots is an answer that is none of CLUSTER SLOTS.
var errNotSlots = errors.New("the answer is no list of slots")

// readSlots reads the answer to CLUSTER SLOTS of the node at by.
func readSlots(answer []rueidis.RedisMessage, by string, slot int) (s slots, err error) {
	s.by = by
	for _, message := range answer {
		parts, err := message.ToArray()
		if err != nil || len(parts) <= rangeNodes {
			return s, errNotSlots
		}
		start, wrongStart := parts[rangeStart].ToInt64()
		end, wrongEnd := parts[rangeEnd].ToInt64()
		if wrongStart != nil || wrongEnd != nil {
			return s, errNotSlots
		}
		for i, node := range parts[rangeNodes:] {
			address, err := readNode(node, by)
			if err != nil {
				return s, err
			}
			if i == 0 && start <= int64(slot) && int64(slot) <= end {
				s.owner = address
			}
			if len(s.nodes) < mostNodes {
				s.nodes = append(s.nodes, address)
			}
		}
	}
	if s.nodes = distinct(mostNodes, s.nodes...); s.owner == "" {
		return s, fmt.Errorf("no node that it can name has slot %d", slot)
	}
	return s, nil
}

// readNode is the address of a node; empty where the host is a question mark, which stands for one that has no name yet. No
// host is that of the node that was asked.
func readNode(message rueidis.RedisMessage, by string) (string, error) {
	fields, err := message.ToArray()
	if err != nil || len(fields) < nodeFields {
		return "", errNotSlots
	}
	host, err := fields[nodeHost].ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", errNotSlots
	}
	port, err := fields[nodePort].ToInt64()
	if err != nil {
		return "", errNotSlots
	}
	switch host {
	case "?":
		return "", nil
	case "":
		host = hostOf(by)
	}
	return join(host, port)
}
