//go:build race

package worker_test

// slow is about how many times longer everything takes with the race detector. What proves by its number does so
// much less of it then; make test has it do all of it once more, without.
const slow = 10
