package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// refusal is what an error begins with, and what it means for a person.
type refusal struct {
	prefix string
	reason broker.Reason
	remedy string
}

// refusals are what a Redis server's errors begin with, and what they mean for a person. The client library
// takes "ERR " off.
var refusals = []refusal{
	{"NOAUTH", broker.ReasonAuthenticationFailed, "the server wants a password; set config.password"},
	{"WRONGPASS", broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	{"invalid password", broker.ReasonAuthenticationFailed, "the password is wrong"},
	{"invalid username-password", broker.ReasonAuthenticationFailed, "the user name or the password is wrong"},
	{"AUTH ", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"Client sent AUTH", broker.ReasonAuthenticationFailed, "the server has no password; remove config.password"},
	{"ACL failure in script", broker.ReasonPermissionDenied, "the user may not do this; extend its ACL"},
	{"The user executing the script", broker.ReasonPermissionDenied, "the user may not do this; extend its ACL"}, // Redis 6.2
	{"NOPERM", broker.ReasonPermissionDenied, "the user may not do this; extend its ACL"},
	{"WRONGTYPE", broker.ReasonWrongType, "a key of the queue has another type; rename or delete it"},
	{"LOADING", broker.ReasonLoading, "the server is loading its data"},
	{"READONLY", broker.ReasonReadOnly, "the server is a read-only replica"},
	{"MASTERDOWN", broker.ReasonLoading, "the server is a replica without its master"},
	{"MISCONF", broker.ReasonReadOnly, "the server refuses writes because it cannot save"},
	{"NOREPLICAS", broker.ReasonReadOnly, "the server refuses writes because it has too few replicas"},
	{"MOVED", broker.ReasonUnknown, "the server is one node of a Redis Cluster; set config.redis.cluster to true, or use one server that has all keys"},
	{"CROSSSLOT", broker.ReasonUnknown, "the keys are in a Redis Cluster, behind a proxy; give the host and the port of a node of it, and set config.redis.cluster to true"},
	{"CLUSTERDOWN", broker.ReasonClusterDown, "nodes of the cluster have failed, or slots have no node; run redis-cli --cluster check"},
	{"This instance has cluster support disabled", broker.ReasonUnknown, "the server is no node of a Redis Cluster; remove config.redis.cluster"},
	{sharedStream, broker.ReasonUnknown, "the stream has several consumer groups, and a returned task would reach all of them: have workers claim the entries of others with XAUTOCLAIM, give each group a stream of its own, or set config.reclaim to false"},
	{redislist.NotClaimed, broker.ReasonOtherOperator, "another operator of this cluster, or of a copy of it, may return tasks now"},
	{"unknown command", broker.ReasonUnknown, "the server lacks a command that QScaler needs; Redis has all of them since 6.2, unless they were renamed, and Sentinel has none: set config.redis.sentinel, or give the port of Redis itself"},
	{"Unknown Redis command called from", broker.ReasonUnknown, "the server lacks a command that QScaler needs; Redis has all of them since 6.2, unless they were renamed, and Sentinel has none: set config.redis.sentinel, or give the port of Redis itself"},
	{outOfMemory, broker.ReasonUnknown, "the memory of the server is full; raise maxmemory, or free memory"},
	{"max number of clients", broker.ReasonConnectionRefused, "the server has as many clients as its maxclients allows"},
}

// refusalsInCluster are those that mean another thing to who follows slots, before all others.
var refusalsInCluster = append([]refusal{
	{"MOVED", broker.ReasonSlotMoving, slotMoving},
	{"ASK", broker.ReasonSlotMoving, slotMoving},
	{"TRYAGAIN", broker.ReasonSlotMoving, slotMoving},
}, refusals...)

const slotMoving = "the keys of the queue are being moved to another node of the cluster; they are read again soon"

// refusalsOfSentinel are those of a Sentinel, or of a server that is none, where one is asked.
var refusalsOfSentinel = []refusal{
	{"NOAUTH", broker.ReasonAuthenticationFailed, "it wants a password; set config.redis.sentinel.password, and see that config.port is that of a Sentinel"},
	{"WRONGPASS", broker.ReasonAuthenticationFailed, "the user name or the password of config.redis.sentinel is wrong"},
	{"invalid password", broker.ReasonAuthenticationFailed, "the password of config.redis.sentinel is wrong"},
	{"invalid username-password", broker.ReasonAuthenticationFailed, "the user name or the password of config.redis.sentinel is wrong"},
	{"AUTH ", broker.ReasonAuthenticationFailed, "it has no password; remove config.redis.sentinel.password"},
	{"Client sent AUTH", broker.ReasonAuthenticationFailed, "it has no password; remove config.redis.sentinel.password"},
	{"NOPERM", broker.ReasonPermissionDenied, "the user of config.redis.sentinel may not run SENTINEL GET-MASTER-ADDR-BY-NAME; extend its ACL"},
	{"unknown command", broker.ReasonUnknown, "it is no Sentinel; give the host and the port of one, which is 26379 by default, or remove config.redis.sentinel"},
}

// outOfMemory is what a refusal begins with where the memory is full (maxmemory).
const outOfMemory = "OOM "

// classify puts a failure into words for a person.
func classify(err error, c Config) error {
	if err == nil {
		return nil
	}
	if text, ok := refused(err); ok {
		for _, r := range refusalsOf(c) {
			if strings.HasPrefix(text, r.prefix) {
				return broker.Refused(r.reason, at(c), fmt.Sprintf("%s (%s)", r.remedy, said(err, c)), c.Password, err)
			}
		}
		return broker.Fail(broker.ReasonUnknown, at(c), said(err, c), err)
	}
	return broker.Unreachable(at(c), err, c.TLS, c.Password)
}

// refusalsOf are those of who is at an address.
func refusalsOf(c Config) []refusal {
	if c.isSentinel() {
		return refusalsOfSentinel
	}
	if c.Cluster {
		return refusalsInCluster
	}
	return refusals
}

// at names the server for a person.
func at(c Config) string {
	switch {
	case c.isSentinel():
		return "the Redis Sentinel at " + c.Address
	case c.namedBy != "":
		return fmt.Sprintf("redis at %s (%s)", c.Address, c.namedBy)
	}
	return "redis at " + c.Address
}

// refused returns what the server said, if it was the server that failed the command.
func refused(err error) (string, bool) {
	var refusal *rueidis.RedisError
	if !errors.As(err, &refusal) || refusal.IsNil() {
		return "", false
	}
	return refusal.Error(), true
}

// refusedCommand is the server's refusal of one of a query's commands.
type refusedCommand struct {
	index int
	err   error
}

func (r *refusedCommand) Error() string { return r.err.Error() }
func (r *refusedCommand) Unwrap() error { return r.err }

// wrongType is the failure for a key that somebody else uses for something else, with what a person can do about it.
func wrongType(what string, err error, c Config) error {
	return broker.Fail(broker.ReasonWrongType, at(c),
		fmt.Sprintf("%s; rename or delete it, or give the queue another name (%s)", what, said(err, c)), err)
}

// refusalsOfOneKey are what errors begin with that concern one key; the last two are a script's.
var refusalsOfOneKey = []string{"WRONGTYPE", "NOPERM", "EXECABORT", "ACL failure in script", "The user executing the script"}

// isWrongType reports whether a script met a key of another type. Before Redis 7, the script's name comes first.
func isWrongType(err error) bool {
	text, ok := refused(err)
	return ok && strings.Contains(text, "WRONGTYPE")
}

// ofOneKey reports whether an error concerns the key of a command, and not the whole server.
func ofOneKey(err error) bool {
	text, ok := refused(err)
	return ok && slices.ContainsFunc(refusalsOfOneKey, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// said is what an error says, without the password: a server or a proxy that does not know a command
// repeats its arguments, and those of HELLO and AUTH have it.
func said(err error, c Config) string {
	line, _, _ := strings.Cut(err.Error(), ", with args beginning with")
	return broker.ErrorWords(line, c.Password)
}
