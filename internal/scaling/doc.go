// Package scaling decides how many workers a queue needs.
//
// Decide is a chain of steps. Each step takes the number that the step before has left, returns the number that it
// makes of it, and leaves a note that says why. A step is a file: formula.go, window.go (with ended.go), clamp.go,
// finishing.go, hold.go. To add a step is to add a file, its name to the
// constants of note.go, and a line to the list in decide.go.
//
// Everything here is a pure function of its arguments, time included. What a later decision must know of this one is
// in the decision's Memory, which the caller hands to the next call. The package imports no Kubernetes, no broker and
// no clock. Who is created and who leaves is the planner's business, and never decided here.
package scaling
