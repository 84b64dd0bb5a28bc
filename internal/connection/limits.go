package connection

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// SecretLabel is the label that a Secret must have, with the value true, where LabelledSecrets is on.
const SecretLabel = "quickube.com/broker-credentials"

// Limits are what an administrator lets ScalerConfigs do. Whoever may create one has the operator read Secrets of the
// namespace and dial from its network.
type Limits struct {
	// Hosts are those that may be dialled.
	Hosts Hosts
	// LabelledSecrets lets Secrets be used that have SecretLabel, and no others.
	LabelledSecrets bool
}

// Label is what a Secret must have, with the value true, to be used; "" for nothing.
func (l Limits) Label() string {
	if l.LabelledSecrets {
		return SecretLabel
	}
	return ""
}

// Hosts are patterns of a broker's host; none allows every host. A pattern is a name, *. and the end of names, an
// address, or a range of addresses such as 10.0.0.0/8. A name is compared as it is written: what it resolves to is its
// owner's.
type Hosts []string

// name is what a name in a pattern may be made of.
var name = regexp.MustCompile(`^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$`)

// Check reports the first pattern that is none.
func (h Hosts) Check() error {
	for _, pattern := range h {
		_, notRange := netip.ParsePrefix(pattern)
		_, notAddress := netip.ParseAddr(pattern)
		if notRange != nil && notAddress != nil && !name.MatchString(strings.ToLower(pattern)) {
			return fmt.Errorf("%q is no host: it must be a name, *. and the end of names, an address, or a range of addresses, such as redis.example.com, *.example.com, 10.0.0.7 or 10.0.0.0/8", pattern)
		}
	}
	return nil
}

// Allow reports whether a host may be dialled.
func (h Hosts) Allow(host string) bool {
	if len(h) == 0 {
		return true
	}
	for _, pattern := range h {
		if matches(pattern, host) {
			return true
		}
	}
	return false
}

func matches(pattern, host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		if prefix, err := netip.ParsePrefix(pattern); err == nil {
			return prefix.Contains(address)
		}
		only, err := netip.ParseAddr(pattern)
		return err == nil && only.Unmap() == address
	}
	host, pattern = plain(host), plain(pattern)
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, end) && len(host) > len(end)
	}
	return host == pattern
}

// plain is a name in lower case and without the dot of the root.
func plain(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
