package locate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

// Sentinel asks Sentinels where a master is, and the master whether it is one: a Sentinel that was cut off from the others
// may still name the one before.
type Sentinel struct {
	name             string
	sentinel, server rueidis.ClientOption

	mu sync.Mutex
	// known are the addresses of the Sentinels, the one that answered last first.
	known []string
	// given is the address of the user's.
	given string
}

// NewSentinel returns a Locator of the master of that name. The options say how the Sentinels, of which one is at address,
// and the servers are connected to.
func NewSentinel(name, address string, sentinel, server rueidis.ClientOption) *Sentinel {
	return &Sentinel{name: name, sentinel: sentinel, server: server, known: []string{address}, given: address}
}

// named is what one Sentinel has answered.
type named struct {
	by, master string
	others     []string
}

// Locate implements Locator.
func (s *Sentinel) Locate(ctx context.Context) (string, error) {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	found, err := first(ctx, known, s.askOne)
	if err != nil {
		return "", fmt.Errorf("asking Sentinel for the master %s, %w", s.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The user's is always among the first: it may be a name that leads to all of them, and what these tell is out of date
	// once all have been replaced.
	s.known = distinct(mostAsked, append([]string{found.by, s.given}, found.others...)...)
	return found.master, nil
}

// Moved implements Locator.
func (*Sentinel) Moved(string, string) {}

// askOne asks one Sentinel, and the master that it names.
func (s *Sentinel) askOne(ctx context.Context, address string) (found named, err error) {
	client, err := connect(ctx, s.sentinel, address)
	if err != nil {
		return found, fmt.Errorf("connecting to the Sentinel %s, %w", address, err)
	}
	defer client.Close()
	found = named{by: address, others: s.others(ctx, client)}
	s.learn(found.others) // also of one that turns out to be behind the times
	name := client.B().SentinelGetMasterAddrByName().Master(s.name).Build()
	answer, err := client.Do(ctx, name).AsStrSlice()
	if rueidis.IsRedisNil(err) {
		return found, fmt.Errorf("the Sentinel %s has no master of this name", address)
	}
	if err != nil {
		return found, fmt.Errorf("the Sentinel %s answers, %w", address, err)
	}
	if len(answer) != 2 {
		return found, fmt.Errorf("the Sentinel %s answers %d words for an address", address, len(answer))
	}
	if found.master, err = joinText(answer[0], answer[1]); err != nil {
		return found, fmt.Errorf("the Sentinel %s answers, %w", address, err)
	}
	return found, s.isMaster(ctx, found.master)
}

func (s *Sentinel) learn(others []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = distinct(mostAsked, slices.Concat(s.known, others)...)
}

// others are the other Sentinels that one knows; none where its user may not ask for them.
func (s *Sentinel) others(ctx context.Context, client rueidis.Client) (others []string) {
	answer, err := client.Do(ctx, client.B().SentinelSentinels().Master(s.name).Build()).ToArray()
	if err != nil {
		return nil
	}
	for _, message := range answer[:min(len(answer), mostAsked)] {
		fields, err := message.AsStrMap()
		if err != nil {
			continue
		}
		if address, err := joinText(fields["ip"], fields["port"]); err == nil {
			others = append(others, address)
		}
	}
	return others
}

// isMaster asks a server whether it is a master. The answer to HELLO says so, and any user may ask for it.
func (s *Sentinel) isMaster(ctx context.Context, address string) error {
	client, err := connect(ctx, s.server, address)
	if err != nil {
		return fmt.Errorf("connecting to the master %s, %w", address, err)
	}
	defer client.Close()
	hello, err := client.Do(ctx, client.B().Arbitrary("HELLO").Build()).AsMap()
	if err != nil {
		return fmt.Errorf("asking %s whether it is a master, %w", address, err)
	}
	role, known := hello["role"]
	if text, _ := role.ToString(); known && text != "master" {
		return fmt.Errorf("%s, which Sentinel names, is no master: its role is %.300q", address, text)
	}
	return nil
}
