package store

// The SDK's own headers, which neither a producer nor a handler sees.
const (
	// uniqueHeader names the uniqueness key of a task that has one.
	uniqueHeader = "qscaler-unique"
	// ownerHeader is what the key says for as long as it is the task's. It is no other's, also where that has the same
	// identifier: the key may have expired, and be that one's.
	ownerHeader = "qscaler-unique-owner"
)

// SetUnique has the headers say that their task has a uniqueness key, and by what it knows the key to be its own.
func SetUnique(headers map[string]string, key, owner string) {
	headers[uniqueHeader], headers[ownerHeader] = key, owner
}

// Unique is the task's uniqueness key, empty where it has none, and what that says for as long as it is the task's.
func (i Item) Unique() (key, owner string) {
	if owner = i.Headers[ownerHeader]; owner == "" {
		owner = i.ID // as in tasks that were enqueued before there were owners
	}
	return i.Headers[uniqueHeader], owner
}

// IsOwnHeader reports whether the name is that of one of the SDK's own headers.
func IsOwnHeader(name string) bool { return name == uniqueHeader || name == ownerHeader }
