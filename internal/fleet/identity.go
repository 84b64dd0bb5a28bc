package fleet

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/broker"
)

// longestHostName is where the kubelet cuts a pod's name for its host name.
const longestHostName = 63

// Identity is a worker as a broker may know it.
type Identity struct {
	broker.Worker
	// Gone is true once it has ended. What it had may then be another's.
	Gone bool
}

// IdentityOf is that of a pod's worker. What the pods of its fleet share is not in it.
func IdentityOf(pod *corev1.Pod) Identity {
	id := Identity{Worker: IdentityToBe(pod.Name, &pod.Spec), Gone: Ended(pod)}
	if !pod.Spec.HostNetwork { // else the address is the node's
		id.PodIP = pod.Status.PodIP
	}
	return id
}

// IdentityToBe is that of the worker of a pod that is about to be created.
func IdentityToBe(name string, spec *corev1.PodSpec) broker.Worker {
	w := broker.Worker{PodName: name}
	fixed := spec.HostNetwork || spec.Hostname != "" || spec.HostnameOverride != nil
	inDomain := spec.SetHostnameAsFQDN != nil && *spec.SetHostnameAsFQDN && spec.Subdomain != "" // which only the node knows
	if !fixed && !inDomain {
		w.HostName = strings.TrimRight(name[:min(len(name), longestHostName)], "-.")
	}
	return w
}

// KeepDistinct takes from workers what several of them have, because it tells nobody who is meant. A worker that is gone gives
// way to one that is there.
func KeepDistinct(workers []Identity) {
	for _, field := range []func(*broker.Worker) *string{
		func(w *broker.Worker) *string { return &w.HostName },
		func(w *broker.Worker) *string { return &w.PodIP },
	} {
		there, gone := make(map[string]int, len(workers)), map[string]int{}
		for i := range workers {
			if w := &workers[i]; w.Gone {
				gone[*field(&w.Worker)]++
			} else {
				there[*field(&w.Worker)]++
			}
		}
		for i := range workers {
			w := &workers[i]
			value := field(&w.Worker)
			if there[*value] > 1 || w.Gone && there[*value]+gone[*value] > 1 {
				*value = ""
			}
		}
	}
}
