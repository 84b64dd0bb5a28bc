package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// Claim is broker.Reclaimer's.
//
// The server alone says whose the claim is, and by its own clock when it ends: ReclaimScript looks at it and moves tasks in
// one step. So no pause of this process, and no clock of its machine, has it move a task after its claim has expired,
// however late the command arrives. Time matters in the other direction alone: whoever pauses for longer than the
// expiry lets another in.
func (d holdings) Claim(ctx context.Context, c broker.Claim, take bool) (broker.Claimant, error) {
	return d.claimant(d.client.Do(ctx, d.claim(c, take)))
}

// claims takes and renews several claims, in one pipeline at a time. Who has one is nobody where that could not be told.
func (d holdings) claims(ctx context.Context, claims []broker.Claim) []broker.Claimant {
	const most = 200 // they take the server a few milliseconds
	has := make([]broker.Claimant, 0, len(claims))
	for part := range slices.Chunk(claims, most) {
		commands := make(rueidis.Commands, len(part))
		for i, c := range part {
			commands[i] = d.claim(c, true)
		}
		for _, reply := range d.client.DoMulti(ctx, commands...) {
			claimant, err := d.claimant(reply)
			if err != nil && broker.IsUnanswered(err) {
				return has
			}
			has = append(has, claimant)
		}
	}
	return has
}

func (d holdings) claim(c broker.Claim, take bool) rueidis.Completed {
	wanted := "0"
	if take {
		wanted = "1"
	}
	return d.client.B().Eval().Script(redislist.ClaimScript).Numkeys(1).Key(redislist.Operator(c.Cluster)).
		Arg(c.Process, strconv.FormatInt(broker.ClaimExpiry.Milliseconds(), 10), wanted, c.Mark).Build()
}

// claimant is who has a claim, by the answer to the script.
func (d holdings) claimant(reply rueidis.RedisResult) (broker.Claimant, error) {
	claim, err := reply.ToString()
	if err != nil {
		return broker.Claimant{}, classify(err, d.config)
	}
	process, rest, _ := strings.Cut(claim, " ")
	mark, renewals, _ := strings.Cut(rest, " ")
	words := func(s string) string { return broker.Words(s, d.config.Password) }
	return broker.Claimant{Process: words(process), Mark: words(mark), Renewals: words(renewals)}, nil
}
