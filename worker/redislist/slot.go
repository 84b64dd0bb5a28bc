package redislist

import "strings"

// Slots is how many slots a Redis Cluster has.
const Slots = 16384

// Slot is the slot of a Redis Cluster that a key is in.
func Slot(key string) int {
	const polynomial, high = 0x1021, 0x8000 // CRC-16/XMODEM
	var crc uint16
	for _, b := range []byte(hashed(key)) {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc & high
			crc <<= 1
			if carry != 0 {
				crc ^= polynomial
			}
		}
	}
	return int(crc % Slots)
}

// InOneSlot reports whether all keys of a queue are in one slot of a Redis Cluster, whatever comes after the queue's name in
// them. Those of a queue that has a closing brace and no hash tag are not: the tag that this package makes ends at the brace.
func InOneSlot(queue string) bool { return hashed(queue) == hashed(Dead(queue)) }

// hashed is the part of a key by which Redis Cluster finds its slot: the hash tag, where it has one.
func hashed(key string) string {
	if _, tag, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok = strings.Cut(tag, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}
