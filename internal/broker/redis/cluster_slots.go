package redis

import (
	"strings"

	"github.com/quickube/qscaler/worker/redislist"
)

// slots is how many slots the keys of a Redis Cluster are spread over.
const slots = redislist.Slots

// tagOf is what the slot of a key is made of: what stands in its first braces, or all of it where there are none, or nothing
// is in them.
func tagOf(key string) string {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if length := strings.IndexByte(key[open+1:], '}'); length > 0 {
			return key[open+1 : open+1+length]
		}
	}
	return key
}
