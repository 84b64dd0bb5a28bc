// Package stack brings the whole of local mode up and down: a control plane with QScaler's kinds, the
// collector of what is deleted, a broker, a node that runs pods as processes, and the operator as a process of its own, so that it can
// be killed and started again.
//
// The operator acts as its own ServiceAccount with its generated role, never as an administrator: what works
// here works in a cluster. All state is in one directory, which one stack at a time may use; Stop removes it,
// and Start first ends and removes what a killed predecessor has left there.
//
// The demo, `qscaler-local up` and the end-to-end tests stand on this package. It decides nothing about
// workers and prints nothing.
package stack
