// Package broker is what QScaler asks of a message broker: how deep its queues are, and who holds what.
//
//	kind.go    one kind of broker as a value: its settings, its driver, its cadence
//	broker.go  what a driver answers
//	count.go   numbers that may be unknown
//	group.go   a consumer group that is missing, or too much
//	age.go     how old messages are, which may be unknown
//	claim.go   who may return the tasks of dead workers
//	redelivery.go when a message is delivered again, to another worker as well
//	risk.go    which versions and settings of a broker endanger tasks
//	secret.go  a password that is never printed
//	errors.go  failures in words for a person; network.go those of the way to it; words.go what a broker says
//
// Each sub-package is the driver of one kind, and knows of no other; kinds has the list of them, and brokertest the
// suite that each of them passes. Nothing here, nor in a driver, knows of Kubernetes.
package broker

import "context"

// Worker is one worker in the words by which a broker may know it: a name that the worker gives, the host name that its
// client library gives, or the address that it connects from. A driver uses those that its broker has.
//
// A field is empty where it is not known, or is not this worker's alone. An empty field matches nobody. Two workers of one
// Query have no field in common, as far as their fleet shows; a pod of somebody else may. Where what a broker tells fits
// several workers, or fits one that cannot be told from another, the driver takes what each of them holds for unknown: it
// leaves them out of Depth.Held.
type Worker struct {
	// PodName is the worker's name, which is never empty and no other worker's.
	PodName string
	// HostName is the host name that the worker sees: the pod's name, cut at 63 characters. It is known before the pod is
	// created, and stays known once the pod is gone. It is empty where it is not known, or does not tell pods apart:
	//
	//   - Pods in the network of their node have the node's, and where the template fixes one, all have that.
	//   - Two names may be the same once they are cut. A worker that is gone gives way to one that is there.
	//   - Of a worker that is known from a search of the broker alone, only the PodName is known.
	HostName string
	// PodIP is the worker's address, the first where it has several. It is empty before the pod has one, in the network
	// of its node, and where two pods that are there have the same. Once the worker is gone, it stays until another pod of
	// the fleet has it.
	PodIP string
}

// Query asks for the depth of one queue.
type Query struct {
	Queue string
	// Group is the consumer group whose messages are counted, where the queues of the broker have such groups; else "". A
	// driver refuses one that is missing, or too much, for its queue alone: see NoGroup and NeedsGroup.
	Group string
	// Workers are those whose messages in flight are counted, where the broker keeps them by worker.
	Workers []Worker
}

// Answer is the depth of one queue, or why it could not be read.
type Answer struct {
	Depth Depth
	// Err is set when this queue, and not the broker as a whole, could not be read.
	Err error
}

// Driver reads the queues of one broker over one connection. Its methods may be called at once from
// several goroutines. What else it can do is told by the interfaces Pusher, Reclaimer, Inspector, AgeReader and
// RedeliveryReader, of which it needs none. It does not connect again: after an error of Depths, the backlog closes it and opens another. brokertest
// has what is asked of it.
type Driver interface {
	// Depths answers each query, in order, in one round trip. An error means that nothing is known of
	// any queue; it is never an empty queue. Without queries it only makes sure that the broker answers.
	Depths(ctx context.Context, queries []Query) ([]Answer, error)
	// Close ends the connection and everything that the driver started.
	Close()
}

// Pusher is a driver whose broker may tell of changes by itself.
type Pusher interface {
	// Pushes reports whether the broker rings the doorbell, and if not, why not, in plain words.
	Pushes() (ok bool, why string)
}

// Reclaimer is a driver whose broker keeps messages in flight by worker, and can return them to the queue. It is for brokers
// that know workers by their PodName, and its workers are PodNames: a host name or an address may be another worker's by now,
// who would lose what it holds. A queue is called by the Name of its Query.
type Reclaimer interface {
	// Claim renews the claim of a process for ClaimExpiry, under whatever mark. Where nobody has it, it takes it if take
	// is true. It returns who has it then.
	Claim(ctx context.Context, c Claim, take bool) (Claimant, error)
	// Reclaim gives what a worker that no longer exists holds back to the head of the queue, and returns
	// how many messages it moved. It moves none unless the claim is the process' own at that moment: the reason of the
	// error is then ReasonOtherOperator.
	Reclaim(ctx context.Context, c Claim, queue, worker string) (moved int64, err error)
	// Held counts what each of these workers holds of a queue, in their order.
	Held(ctx context.Context, queue string, workers []string) ([]int64, error)
	// Holders finds every worker that holds messages of any queue. It reads incrementally and may take long
	// on a large broker. It bounds how long that may be, without the time in which it waits for the searches of other brokers.
	Holders(ctx context.Context) ([]Holder, error)
}

// Holder is a worker that holds messages.
type Holder struct {
	// Queues are the names of the queues that the messages may be of; mostly one.
	Queues []string
	// Worker is its PodName.
	Worker string
}

// Doorbell is called with the queues that may have changed; without any, all may have. It returns at once.
type Doorbell func(queues ...string)
