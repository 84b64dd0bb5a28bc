package redisstore_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
)

// Redis serves nobody else while it copies what a reservation looks at. That is about two steps, also where many tasks that
// are short come before many that are not.
func TestAReservationLooksAtLittle(t *testing.T) {
	const size, step = 256 << 10, int64(store.StepBytes)
	for name, test := range map[string]struct {
		long func(place int) bool
		most int64 // bytes
	}{
		"all are short":                             {long: func(int) bool { return false }, most: step},
		"all after the short ones are long":         {long: func(i int) bool { return i >= 300 }, most: 2 * step},
		"one in ten is long":                        {long: func(i int) bool { return i%10 == 9 }, most: 3 * step},
		"so many are long that the next is not":     {long: func(i int) bool { return i >= 272 && i < 320 }, most: 2 * step},
		"as many as it can miss are between two":    {long: func(i int) bool { return i >= 256 && i < 319 }, most: 63*size + 2*step},
		"more than it can miss are between the two": {long: func(i int) bool { return i >= 256 && i < 320 }, most: 2 * step},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			f := fixture(t, server)
			lengths := make([]int64, 700)
			for i := range lengths {
				lengths[i] = 5
				if test.long(i) {
					lengths[i] = size
				}
				f.Push(strings.Repeat("x", int(lengths[i])))
			}
			looked := lookedAt(t, server, lengths, func() {
				if _, err := f.Reserve(t.Context(), len(lengths), false); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("it looks at %d KiB", looked>>10)
			if looked > test.most {
				t.Errorf("it looks at %d KiB, want %d at most", looked>>10, test.most>>10)
			}
		})
	}
}

// lookedAt is how many bytes of the queue a step reads. The queue has elements of these lengths, the first of them next.
func lookedAt(t *testing.T, server *redistest.Server, lengths []int64, step func()) (bytes int64) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 64<<20)
	_, _ = fmt.Fprint(conn, "MONITOR\r\n")
	lines.Scan() // +OK
	step()
	client := server.Client()
	if err := client.Do(t.Context(), client.B().Echo().Message("the end").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() && !strings.Contains(lines.Text(), "the end") {
		_, arguments, is := strings.Cut(lines.Text(), `"LRANGE" "`+queue+`" `)
		var from, to int
		if _, err := fmt.Sscanf(arguments, `"-%d" "-%d"`, &from, &to); !is || err != nil {
			continue
		}
		for _, length := range lengths[min(to-1, len(lengths)):min(from, len(lengths))] {
			bytes += length
		}
	}
	return bytes
}
