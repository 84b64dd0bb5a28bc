package node

import (
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses gives each pod a loopback address of its own: the whole of 127.0.0.0/8 is this machine, without
// any set-up. Pods get 127.64.0.1 to 127.127.255.254.
type addresses struct {
	mu   sync.Mutex
	next netip.Addr
	of   map[types.UID]netip.Addr
	used map[netip.Addr]bool
}

var (
	firstAddress = netip.AddrFrom4([4]byte{127, 64, 0, 1})
	lastAddress  = netip.AddrFrom4([4]byte{127, 127, 255, 254})
)

func newAddresses() *addresses {
	return &addresses{next: firstAddress, of: map[types.UID]netip.Addr{}, used: map[netip.Addr]bool{}}
}

// take returns the pod's address: the one that it has, or had before this node was restarted, or a free one.
func (a *addresses) take(uid types.UID, had string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ip, ok := a.of[uid]; ok {
		return ip.String()
	}
	ip, err := netip.ParseAddr(had)
	if err != nil || a.used[ip] {
		ip = a.free()
	}
	a.of[uid], a.used[ip] = ip, true
	return ip.String()
}

// free finds an address from where the last search ended, so that an address is not reused at once.
func (a *addresses) free() netip.Addr {
	for {
		ip := a.next
		a.next = ip.Next()
		if ip == lastAddress {
			a.next = firstAddress
		}
		if !a.used[ip] { // four million of them: there is always one
			return ip
		}
	}
}

func (a *addresses) release(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, a.of[uid])
	delete(a.of, uid)
}
