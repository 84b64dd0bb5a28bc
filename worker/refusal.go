package worker

import (
	"strings"

	"github.com/redis/rueidis"
)

// refusal is what Redis has said, where an error is its answer, and not that there was none. The client library takes
// "ERR " off.
func refusal(err error) (text string, ok bool) {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return "", false
	}
	return answer.Error(), true
}

// isReplica reports whether an answer is that of a server which is a replica, or has just become one. Redis 6 has words
// of its own before the error of a command in a script.
func isReplica(err error) bool {
	text, ok := refusal(err)
	return ok && (begins(text, "READONLY", "UNBLOCKED", "MASTERDOWN") || strings.Contains(text, "-READONLY "))
}

// isWrongPassword reports whether an answer is that Redis does not know the user, or the password.
func isWrongPassword(err error) bool {
	text, ok := refusal(err)
	return ok && begins(text, "WRONGPASS", "NOAUTH")
}

func begins(text string, words ...string) bool {
	for _, word := range words {
		if strings.HasPrefix(text, word) {
			return true
		}
	}
	return false
}

// lasts reports whether a refusal may be one for good, for the user's rights or for the type of a key. Others pass: those
// of a server that is a replica, cannot write to its disk, is full, or is busy.
func lasts(err error) bool {
	text, ok := refusal(err)
	if !ok {
		return false
	}
	for _, word := range []string{
		"READONLY", "MISCONF", "NOREPLICAS", "OOM ", "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "UNBLOCKED", "WRONGPASS", "NOAUTH",
	} {
		if strings.Contains(text, word) { // Redis 6 has words of its own before them, where they are of a script
			return false
		}
	}
	return true
}
