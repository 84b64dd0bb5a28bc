package redis

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Numbers that no Redis sends are refused, before sums of them overflow.
func TestNumbersThatNoListHas(t *testing.T) {
	query := broker.Query{Queue: "q", Workers: workers("a", "b")}
	for _, n := range []int64{-1, math.MinInt64, mostElements + 1, math.MaxInt64} {
		address := fakeServer(t, func(c []string) string {
			switch c[0] {
			case "HELLO":
				return unknown(c)
			case "EXEC":
				return fmt.Sprintf("*4\r\n:1\r\n:1\r\n:%[1]d\r\n:%[1]d", n)
			case "LLEN", "ZCOUNT":
				return "+QUEUED"
			}
			return "+OK"
		})
		answers, err := open(t, Config{Address: address}, newBell().ring).Depths(t.Context(), []broker.Query{query})
		if err == nil {
			err = answers[0].Err
		}
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("of a list of %d elements: %+v, %v", n, answers, err)
		}
	}
}

// A step of a reclaim that answers what no step can is an error, and counts nothing.
func TestAReclaimBelievesNoOddAnswer(t *testing.T) {
	for _, reply := range []string{"*2\r\n:-5\r\n:0", "*2\r\n:1\r\n:-1", "*2\r\n:0\r\n:1", "*0", "*-1", "$-1", ":1", "*2\r\n$1\r\nx\r\n:0"} {
		address := fakeServer(t, func(c []string) string {
			switch c[0] {
			case "HELLO":
				return unknown(c)
			case "EVAL":
				return reply
			}
			return "+OK"
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		moved, err := open(t, Config{Address: address}, newBell().ring).(broker.Reclaimer).Reclaim(ctx, claim, "q", "w")
		cancel()
		if moved != 0 || err == nil {
			t.Errorf("%q: %d, %v", reply, moved, err)
		}
	}
}

// A server that names processing lists without an end takes no memory without an end, nor do several of them.
func TestASearchIsBounded(t *testing.T) {
	var names strings.Builder
	const names400 = 400
	size := 0
	for i := range names400 {
		key := fmt.Sprintf("{%s}:processing:worker-%d", strings.Repeat("q", 1000), i)
		fmt.Fprintf(&names, "$%d\r\n%s\r\n", len(key), key)
		size += len(key) + holderSize
	}
	page := fmt.Sprintf("*2\r\n$1\r\n7\r\n*%d\r\n%s", names400, strings.TrimSuffix(names.String(), "\r\n"))
	pages := 0
	address := fakeServer(t, func(c []string) string {
		switch c[0] {
		case "HELLO":
			return unknown(c)
		case "SCAN":
			pages++
			return page
		}
		return "+OK"
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, c := range map[string]struct {
		taken, most int
		says        string
	}{
		"one":                          {0, mostHolders, "more processing lists"},
		"one beside others":            {mostOfAll - mostHolders/2, mostHolders / 2, "the searches of all servers"},
		"one when others have had all": {mostOfAll, spare, "the searches of all servers"},
	} {
		shared := newSearches()
		shared.taken = c.taken
		pages = 0
		d, err := openShared(t.Context(), Config{Address: address}, newBell().ring, shared)
		if err != nil {
			t.Fatal(err)
		}
		holders, err := d.(broker.Reclaimer).Holders(ctx)
		d.Close()
		if err == nil || holders != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, after %d pages: %d holders, %v", name, pages, len(holders), err)
		}
		if want := c.most/size + 1; pages != want {
			t.Errorf("%s: %d pages were read, want %d", name, pages, want)
		}
		if shared.taken != c.taken {
			t.Errorf("%s: %d bytes are not freed", name, shared.taken-c.taken)
		}
	}
}

// A walk that waits for its turn, or for a server that does not answer one step of it, ends.
func TestAStepOfASearchEnds(t *testing.T) {
	address := fakeServer(t, func(c []string) string {
		if c[0] == "HELLO" {
			return unknown(c)
		}
		return "+OK"
	})
	shared := newSearches()
	shared.late = latePages // so those that are late keep their places
	for range firstPages {
		if _, err := shared.turn(t.Context(), "other", false); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openShared(t.Context(), Config{Address: address}, newBell().ring, shared)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.(broker.Reclaimer).Holders(ctx); broker.ReasonOf(err) != broker.ReasonTimeout {
		t.Errorf("Holders: %v, want a time-out", err)
	}
}
