//go:build !race

package worker_test

const slow = 1
