package scaling

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// sum is how messages become workers, such that a person can add it up.
func (in Input) sum(messages, asked int64) string {
	q := in.Queue
	words := fmt.Sprintf("%s waiting + %s in flight", q.Waiting.words(), q.InFlight.words())
	if leaving := min(q.Leaving, q.messages()); leaving > 0 {
		words += fmt.Sprintf(" - %d that leaving workers finish", leaving)
	}
	factor := in.Scale.PerMessage
	if factor.Cmp(big.NewRat(1, 1)) == 0 {
		return words
	}
	exact := new(big.Rat).Mul(new(big.Rat).SetInt64(messages), factor)
	sign := "x " + decimal(factor)
	if in.Scale.ByWorker {
		sign = "/ " + decimal(new(big.Rat).Inv(factor))
	}
	words = fmt.Sprintf("(%s) %s = %s", words, sign, decimal(exact))
	if exact.Cmp(new(big.Rat).SetInt64(asked)) < 0 {
		words += ", rounded up"
	}
	return words
}

// words is the number as a part of a sum.
func (c Count) words() string {
	if !c.Known {
		return "an unknown number"
	}
	return strconv.FormatInt(c.N, 10)
}

// decimal is a number with at most four places, and as a fraction where that would be zero.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.RatString()
	}
	words := strings.TrimRight(strings.TrimRight(r.FloatString(4), "0"), ".")
	if words == "0" {
		return r.RatString()
	}
	return words
}

// clockTime is a time of this day or the next, for people.
func clockTime(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// count is a number and what there are so many of.
func count(n int64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + several
}

// stay says that workers stay though fewer are asked for.
func stay(n int64) string {
	if n == 1 {
		return "1 stays"
	}
	return strconv.FormatInt(n, 10) + " stay"
}
