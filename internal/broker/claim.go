package broker

import "time"

// How long a claim lasts that is not renewed, and how often it is. Whoever takes it over waits for the whole expiry, and a leader
// that pauses, or cannot reach the broker, has no claim after it. Six renewals fit into it.
const (
	ClaimExpiry  = 30 * time.Second
	ClaimRenewal = 5 * time.Second
)

// Claim is what an operator leaves with a broker while it may return the tasks of dead workers there: no other operator
// of the same cluster does so meanwhile.
type Claim struct {
	// Cluster tells the cluster whose pods the workers are. A copy of the cluster has the same: there, pods of the same
	// names are other pods.
	Cluster string
	// Process names this process among all that have ever run.
	Process string
	// Mark tells by which connection of the process the claim was first taken. Two that find the same mark at one server
	// see the same keys. It is not so for all users of a server: Kvrocks and Dragonfly give each of several users keys of
	// their own.
	Mark string
}

// Claimant is who has a claim; the zero value is nobody.
type Claimant struct {
	// Process and Mark are those of the Claim.
	Process, Mark string
	// Renewals becomes another with each renewal. It is empty where the operator that has the claim does not say it.
	Renewals string
}
