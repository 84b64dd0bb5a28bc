package nats

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// mostOfMany is how much memory many hostile servers may have the operator take, garbage included: half of what the
// Deployment has for 100 of them, and these are 50.
const mostOfMany = 128 << 20

// Many servers that answer as much as they may, all at once, leave the operator well below its memory limit.
func TestManyHostileServers(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves hundreds of megabytes")
	}
	host, port := fake{first: info, write: longAnswer()}.start(t)
	config, err := parse(broker.Settings{Host: host, Port: port})
	must(t, err)
	queries := make([]broker.Query, 10)
	for i := range queries {
		queries[i] = broker.Query{Queue: "q", Group: "w" + strconv.Itoa(i)}
	}
	runtime.GC()
	before := heap()
	peak, stop := make(chan uint64), make(chan struct{})
	go watchHeap(peak, stop)
	const servers = 50
	var group sync.WaitGroup
	for range servers {
		group.Go(func() {
			d, err := Open(t.Context(), config.(Config), nil)
			if err != nil { // a machine that is busy with so many has no answer in time
				if broker.ReasonOf(err) != broker.ReasonTimeout {
					t.Error(err)
				}
				return
			}
			t.Cleanup(d.Close) // all keep what they keep
			answers, err := d.Depths(t.Context(), queries)
			if err != nil {
				if broker.ReasonOf(err) != broker.ReasonTimeout {
					t.Error(err)
				}
				return
			}
			read := 0
			for _, a := range answers {
				switch {
				case a.Err == nil:
					read++
				case !errors.Is(a.Err, errTooMuch) && broker.ReasonOf(a.Err) != broker.ReasonTimeout:
					t.Error(a.Err)
				}
			}
			if read > 1 {
				t.Errorf("%d answers are read that have too much together", read)
			}
		})
	}
	group.Wait()
	close(stop)
	took := max(<-peak, before) - before
	t.Logf("%d servers took %d MiB", servers, took>>20)
	if took > mostOfMany {
		t.Errorf("%d servers took %d MiB, want at most %d", servers, took>>20, mostOfMany>>20)
	}
}

// longAnswer writes answers that are in order, and nearly as long as one may be.
func longAnswer() func(to io.Writer, subject, inbox string) {
	var filters strings.Builder
	for i := range mostSubjects {
		fmt.Fprintf(&filters, `"%s%03d",`, strings.Repeat("x", longestSubject-10), i)
	}
	rest := fmt.Sprintf(`"num_pending":0,"num_ack_pending":0,"config":{"name":"q","filter_subjects":[%s"x"],"metadata":{"x":%q}},"state":{"messages":0}}`,
		filters.String(), strings.Repeat("x", longestAnswer/2))
	return func(to io.Writer, subject, inbox string) {
		name := subject[strings.LastIndex(subject, ".")+1:]
		begin := fmt.Sprintf(`{"stream_name":"q","name":%q,`, name)
		_, _ = fmt.Fprintf(to, "MSG %s 1 %d\r\n%s", inbox, len(begin)+len(rest), begin)
		_, _ = io.WriteString(to, rest)
		_, _ = io.WriteString(to, "\r\n")
	}
}

// watchHeap sends the most that the process had of objects until it was to stop.
func watchHeap(peak chan<- uint64, stop <-chan struct{}) {
	most := uint64(0)
	for {
		select {
		case <-stop:
			peak <- most
			return
		case <-time.After(2 * time.Millisecond):
			most = max(most, heap())
		}
	}
}

// heap is what the process has of objects, garbage included.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// A server that names other subjects at each look has a bound of subscriptions, and is polled beyond it.
func TestSubscriptionsWithoutEnd(t *testing.T) {
	host, port := fake{first: info}.start(t)
	config, err := parse(broker.Settings{Host: host, Port: port})
	must(t, err)
	opened, err := Open(t.Context(), config.(Config), nil)
	must(t, err)
	defer opened.Close()
	d := opened.(*driver)
	k := key{"q", "w"}
	atZero := map[key]bool{k: true}
	d.bells.unknown([]key{k}, atZero, time.Now())
	d.bells.learnStream("q", streamInfo{}, nil, time.Now())
	for i := 0; i <= mostBells; i += mostSubjects {
		var info consumerInfo
		for n := range mostSubjects {
			info.Config.FilterSubjects = append(info.Config.FilterSubjects, strconv.Itoa(i+n))
		}
		d.bells.learnConsumer(k, info)
		d.bells.arm([]key{k}, atZero, time.Now())
	}
	if n := subscriptions(d); n != mostBells {
		t.Errorf("%d subscriptions, want %d", n, mostBells)
	}
	if ok, why := d.Pushes(); ok || !strings.Contains(why, "too much") {
		t.Errorf("it rings: %t (%s)", ok, why)
	}
}
