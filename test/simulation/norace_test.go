//go:build !race

package simulation

const share = 1
