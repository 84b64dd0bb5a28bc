// Package podconfig knows which Secrets and ConfigMaps a pod spec refers to by name, and reads those that somebody asks for
// one after another: each once a minute, and only so many a minute. It keeps a fingerprint of each, and never the content.
//
// It asks for objects by name alone; the operator may list and watch neither Secrets nor ConfigMaps. It knows nothing of
// QWorkers but their names.
package podconfig
