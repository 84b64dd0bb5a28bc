// Package examples has no code of its own. Its tests run the three example workers as processes, against a
// real Redis, with a drain file that is swapped as the kubelet does it.
package examples
