package v1alpha1

// Finalizer keeps a QWorker that is being deleted until its workers have finished their tasks.
const Finalizer = "quickube.com/workers"
