package redis

import (
	"context"
	"strconv"
	"strings"

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
	wanted := "0"
	if take {
		wanted = "1"
	}
	eval := d.client.B().Eval().Script(redislist.ClaimScript).Numkeys(1).Key(redislist.Operator(c.Cluster)).
		Arg(c.Process, strconv.FormatInt(broker.ClaimExpiry.Milliseconds(), 10), wanted, c.Mark).Build()
	claim, err := d.client.Do(ctx, eval).ToString()
	if err != nil {
		return broker.Claimant{}, classify(err, d.config)
	}
	process, rest, _ := strings.Cut(claim, " ")
	mark, renewals, _ := strings.Cut(rest, " ")
	words := func(s string) string { return broker.Words(s, d.config.Password) }
	return broker.Claimant{Process: words(process), Mark: words(mark), Renewals: words(renewals)}, nil
}
