// Package redislist is the list protocol of QScaler's workers on Redis: the names of the keys, the
// commands that move a task, and the script that returns a dead worker's tasks.
//
// A producer pushes with LPUSH. A worker takes a task with one
//
//	BLMOVE task-queue {task-queue}:processing:<POD_NAME> RIGHT LEFT <timeout>
//
// and acknowledges it with
//
//	LREM {task-queue}:processing:<POD_NAME> 1 <payload>
//
// What the processing list of a pod holds is in flight. The package imports no Redis client, so that the
// SDK and the operator's driver can each use their own.
package redislist

import "strings"

// LayoutVersion is the version of the key layout below. It changes only when a worker of the older
// layout could lose or repeat a task beside one of the newer.
const LayoutVersion = 1

const (
	processingInfix = ":processing:"
	deadSuffix      = ":dead"
	payloadsSuffix  = ":dead:payloads"
	delayedSuffix   = ":delayed"
	uniqueInfix     = ":unique:"
	operatorPrefix  = "qscaler:operator:"
)

// Processing is the key of the list that holds what the named pod has in flight.
func Processing(queue, pod string) string { return tagged(queue) + processingInfix + pod }

// Dead is the key of the queue's dead-letter list.
func Dead(queue string) string { return tagged(queue) + deadSuffix }

// DeadPayloads is the key of the hash that has the payloads of those dead letters that are without, being long.
func DeadPayloads(queue string) string { return tagged(queue) + payloadsSuffix }

// Delayed is the key of the queue's sorted set of tasks that are to wait: retries and scheduled tasks. The
// score is when a task is due, in milliseconds since 1970 by Redis' clock.
func Delayed(queue string) string { return tagged(queue) + delayedSuffix }

// Unique is the key that stands for as long as a task with that uniqueness key is neither done nor dead.
func Unique(queue, key string) string { return tagged(queue) + uniqueInfix + key }

// Operator is the key that says which operator of a cluster may return the tasks of dead workers. It is of no queue.
func Operator(cluster string) string { return operatorPrefix + cluster }

// PodOf is the inverse of Processing: the name of the pod whose processing list of this queue the key is.
func PodOf(queue, key string) (pod string, ok bool) {
	pod, ok = strings.CutPrefix(key, tagged(queue)+processingInfix)
	return pod, ok && pod != ""
}

// QueuesOf lists the queues whose processing list the key may be. There are two where the name in the key
// could be a queue's own hash tag as well as the tag that this package gave it.
func QueuesOf(key string) (queues []string, pod string, ok bool) {
	at := strings.LastIndex(key, processingInfix)
	if at < 0 {
		return nil, "", false
	}
	prefix, pod := key[:at], key[at+len(processingInfix):]
	queues = untagged(prefix)
	return queues, pod, len(queues) > 0 && pod != ""
}

// QueuesOfDelayed lists the queues whose set of delayed tasks the key may be; none where it is no such set.
func QueuesOfDelayed(key string) []string {
	prefix, ok := strings.CutSuffix(key, delayedSuffix)
	if !ok {
		return nil
	}
	return untagged(prefix)
}

// untagged lists the queues whose tagged name the prefix may be.
func untagged(prefix string) (queues []string) {
	bare := strings.TrimSuffix(strings.TrimPrefix(prefix, "{"), "}")
	for _, queue := range []string{prefix, bare} {
		if queue != "" && tagged(queue) == prefix {
			queues = append(queues, queue)
		}
	}
	return queues
}

// IsKey reports whether a name is one that this package gives a key: a queue of this name would be another queue's list of
// tasks in flight, dead letters or the like.
func IsKey(name string) bool {
	if strings.HasPrefix(name, operatorPrefix) {
		return true
	}
	for _, suffix := range []string{deadSuffix, payloadsSuffix, delayedSuffix} {
		if prefix, ok := strings.CutSuffix(name, suffix); ok && len(untagged(prefix)) > 0 {
			return true
		}
	}
	for _, infix := range []string{processingInfix, uniqueInfix} {
		for at := strings.Index(name, infix); at >= 0; {
			if len(untagged(name[:at])) > 0 {
				return true
			}
			next := strings.Index(name[at+1:], infix)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return false
}

// AnyProcessing is a SCAN MATCH pattern for every processing list of every queue.
const AnyProcessing = "*" + processingInfix + "*"

// tagged wraps the queue's name as a hash tag, so that all its keys live in one slot of a Redis Cluster.
// A name that has a hash tag of its own keeps that one.
func tagged(queue string) string {
	if hashed(queue) != queue {
		return queue
	}
	return "{" + queue + "}"
}
