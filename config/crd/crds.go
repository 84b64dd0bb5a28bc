// Package crd holds the CustomResourceDefinitions of QScaler's two kinds, for programs that install them
// themselves: local mode, and the tests that start a real API server.
//
// The files are generated from api/v1alpha1 by `make generate`.
package crd

import "embed"

// Files has the CustomResourceDefinitions, one a file, in the directory "bases".
//
//go:embed bases/*.yaml
var Files embed.FS
