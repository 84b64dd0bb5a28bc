//go:build race

package simulation

// share is one of how many worlds are lived through under the race detector, which makes each of them take five times as
// long. All of them run without it too; see the Makefile.
const share = 5
