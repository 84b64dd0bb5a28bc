// Package rbac holds the operator's generated role, for local mode: there the operator runs under exactly
// the rights that it has in a cluster, so that a missing one is noticed on the first laptop.
//
// The file is generated from the markers in internal/controller/rbac.go by `make generate`.
package rbac

import _ "embed"

// Role is two YAML documents: the ClusterRole "qscaler", and the Role "qscaler" of the namespace
// qscaler-system, for leader election.
//
//go:embed role.yaml
var Role []byte
