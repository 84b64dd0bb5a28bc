// Package apicalls bounds what the operator asks of the API server, so that no tenant slows another.
//
//	deadline.go   each call ends
//	pace.go       a read that has failed is tried again after a pause that grows, or fails as it did where it may not wait
//	failure.go    how it did
//	retryafter.go no answer says when to ask again
//	hearing.go    since when the API server tells of pods without a failure
//	lanes.go      writes that are slow have a part of the calls, and a namespace has a part of theirs
//
// A write of one namespace may take seconds, because an admission webhook is slow. The API server serves one account's
// requests in their order once too many are under way: the slow ones of one tenant would then be in the way of everybody's.
//
// It imports nothing of ours, and knows requests by their method and path alone.
package apicalls
