package redis

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// BenchmarkLayouts is one read of queues of each layout, with a worker and a message each, and how many bytes it moves. How
// many round trips it takes is the suite's to test: it is one.
func BenchmarkLayouts(b *testing.B) {
	fill := map[Layout]func(b rueidis.Builder, queue string) rueidis.Commands{
		Lists: func(b rueidis.Builder, queue string) rueidis.Commands {
			return rueidis.Commands{b.Lpush().Key(queue).Element("task").Build()}
		},
		Streams: func(b rueidis.Builder, queue string) rueidis.Commands {
			return rueidis.Commands{
				b.Xadd().Key(queue).Id("*").FieldValue().FieldValue("f", "task").Build(),
				b.XgroupCreate().Key(queue).Group(testGroup).Id("0").Build(),
				b.Xadd().Key(queue).Id("*").FieldValue().FieldValue("f", "task").Build(),
				b.Xreadgroup().Group(testGroup, "w").Count(1).Streams().Key(queue).Id(">").Build(),
			}
		},
		SortedSets: func(b rueidis.Builder, queue string) rueidis.Commands {
			return rueidis.Commands{b.Zadd().Key(queue).ScoreMember().ScoreMember(1, "task").Build()}
		},
	}
	for _, layout := range []Layout{Lists, Streams, SortedSets} {
		for _, n := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("%s/queues=%d", layout, n), func(b *testing.B) {
				server := redisservertest.Start(b)
				d, err := Open(b.Context(), Config{Address: server.Addr(), Layout: layout}, func(...string) {})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(d.Close)
				client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, ForceSingleClient: true, DisableCache: true})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(client.Close)
				queries := make([]broker.Query, n)
				for i := range queries {
					queries[i] = broker.Query{Queue: "queue-" + strconv.Itoa(i), Workers: workers("w")}
					if layout == Streams {
						queries[i].Group = testGroup
					}
					for _, r := range client.DoMulti(b.Context(), fill[layout](client.B(), queries[i].Queue)...) {
						if r.Error() != nil {
							b.Fatal(r.Error())
						}
					}
				}
				before := moved(b, client)
				for b.Loop() {
					answers, err := d.Depths(b.Context(), queries)
					if err != nil || answers[n-1].Depth.Waiting.N != 1 {
						b.Fatalf("%+v, %v", answers[n-1], err)
					}
				}
				b.ReportMetric(float64(moved(b, client)-before)/float64(b.N), "B-moved/op")
			})
		}
	}
}

// moved is how many bytes the server has read and written.
func moved(b *testing.B, client rueidis.Client) (bytes int64) {
	b.Helper()
	text, err := client.Do(b.Context(), client.B().Info().Section("stats").Build()).ToString()
	if err != nil {
		b.Fatal(err)
	}
	s := settings{info: map[string]string{}}
	s.add(text)
	for _, name := range []string{"total_net_input_bytes", "total_net_output_bytes"} {
		n, err := strconv.ParseInt(s.info[name], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		bytes += n
	}
	return bytes
}
