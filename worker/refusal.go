package worker

import (
	"errors"
	"strings"

	"github.com/redis/rueidis"
)

// refusal is the text of an error that is an answer of Redis, or of a Sentinel, and not the lack of one. The client library
// removes "ERR ".
func refusal(err error) (text string, ok bool) {
	var answer *rueidis.RedisError
	if !errors.As(err, &answer) || rueidis.IsRedisNil(answer) {
		return "", false
	}
	return answer.Error(), true
}

// oldestRedis is the first that has all commands that a worker uses: LMOVE, BLMOVE, and RPOP with a count.
const oldestRedis = "6.2"

// isUnknownCommand reports whether Redis does not know a command, or does not know it as it is used: an older Redis
// takes RPOP without a count only. In a script, other words come before or after.
func isUnknownCommand(err error) bool {
	text, ok := refusal(err)
	return ok && (strings.Contains(text, "nknown command") || strings.Contains(text, "nknown Redis command") ||
		strings.Contains(strings.ToLower(text), "wrong number of arg"))
}

// isReplica reports whether an answer comes from a server which is a replica, or has just become one. For a script,
// Redis 6 puts words of its own before the command's error.
func isReplica(err error) bool {
	text, ok := refusal(err)
	return ok && (begins(text, "READONLY", "UNBLOCKED", "MASTERDOWN") || strings.Contains(text, "-READONLY "))
}

// isElsewhere reports whether a node of a Redis Cluster says that another has the queue's slot, or that it does not know which.
func isElsewhere(err error) bool {
	text, ok := refusal(err)
	return ok && begins(text, "MOVED ", "CLUSTERDOWN")
}

// movedTo is the address that such a node names, host:port without brackets; empty where it names none.
func movedTo(err error) string {
	const words = 3 // MOVED, the slot, the address
	text, _ := refusal(err)
	if fields := strings.Fields(text); len(fields) == words && fields[0] == "MOVED" {
		return fields[words-1]
	}
	return ""
}

// isWrongPassword reports whether Redis does not know the user or the password.
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

// lasts reports whether a refusal may stay, for the user's rights or for the type of a key. Other refusals pass: the
// server is a replica, cannot write to its disk, is full, or is busy, or a slot of the cluster moves. For a script that has
// begun meanwhile, a node that has a part of the slot has words of its own.
func lasts(err error) bool {
	text, ok := refusal(err)
	if !ok {
		return false
	}
	for _, word := range []string{
		"READONLY", "MISCONF", "NOREPLICAS", "OOM ", "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "UNBLOCKED", "WRONGPASS", "NOAUTH",
		"MOVED ", "ASK ", "TRYAGAIN", "non local key", "cluster is down",
	} {
		if strings.Contains(text, word) { // Redis 6 puts words of its own before them, for a script
			return false
		}
	}
	return true
}
