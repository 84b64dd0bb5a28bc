package locate

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// longestHost is what a name in the DNS may have.
const longestHost = 253

// join is the address that a server tells of another, checked. It may be that of a server that is hostile.
func join(host string, port int64) (string, error) {
	if host == "" || len(host) > longestHost || port < 1 || port > 1<<16-1 {
		return "", fmt.Errorf("host %.300q and port %d are no address", host, port)
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10)), nil
}

// joinText is join for a port in words.
func joinText(host, port string) (string, error) {
	number, err := strconv.ParseInt(port, 10, 64)
	if err != nil {
		return "", fmt.Errorf("port %.300q is no number", port)
	}
	return join(host, number)
}

// hostOf is the host of an address; empty where it is none.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// redirect is the address that an answer MOVED of the server at from names; empty where it names none. An IPv6 host has no
// brackets there. A node that does not know its own host leaves it out: it is the one that answered.
func redirect(from, to string) string {
	at := strings.LastIndexByte(to, ':')
	if at < 0 {
		return ""
	}
	address, err := joinText(cmp.Or(strings.Trim(to[:at], "[]"), hostOf(from)), to[at+1:])
	if err != nil {
		return ""
	}
	return address
}

// distinct has the first of equal addresses, no empty one, and no more than so many.
func distinct(most int, addresses ...string) (some []string) {
	for _, address := range addresses {
		if address != "" && len(some) < most && !slices.Contains(some, address) {
			some = append(some, address)
		}
	}
	return some
}
