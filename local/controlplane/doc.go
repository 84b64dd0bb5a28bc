// Package controlplane runs a real etcd and a real kube-apiserver on this machine, for local mode and for
// every test that needs the API: no cluster, no container runtime, ready in a few seconds.
//
// There is no scheduler and no controller manager. What pods need of them, a default ServiceAccount and the
// ConfigMap with the root certificate in every namespace, is made here (see defaults.go). The programs are
// found, downloaded or built by Binaries.
//
// Everything binds to the loopback interface, etcd to a socket file that only this user can reach. The
// package knows nothing of QScaler's kinds and imports nothing of ours but local/process; its
// subpackage controlplanetest is what tests use.
package controlplane
