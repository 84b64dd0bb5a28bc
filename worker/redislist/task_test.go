package redislist

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func FuzzElementAndBack(f *testing.F) {
	f.Add("mail-1", 2, 3, int64(1767225600123), "pod.7", "trace", "a:b", "payload: any bytes \x00\xff")
	f.Add("x", 0, 0, int64(0), "", "", "", "")
	f.Fuzz(func(t *testing.T, id string, failed, crashed int, first int64, reservation, header, value, payload string) {
		const digits9 = 1e9
		if CheckID(id) != nil || !isID(reservation) || failed < 0 || failed >= digits9 || crashed < 0 || crashed >= digits9 || first < 0 || first > latest {
			t.Skip("an envelope cannot have it")
		}
		want := Task{ID: id, Failed: failed, Crashed: crashed, First: time.UnixMilli(first).UTC(), Reservation: reservation, Payload: payload}
		if header != "" {
			want.Headers = map[string]string{strings.ToValidUTF8(header, "?"): strings.ToValidUTF8(value, "?")}
		}
		if got := Parse(want.Element()); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v", want, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("qscaler:1:x:0:0:0::0:payload")
	f.Add("qscaler:1:x:0:0:0::9:short")
	f.Fuzz(func(t *testing.T, element string) {
		task := Parse(element)
		if task.ID == "" && task.Payload != element {
			t.Errorf("the payload of %q is %q", element, task.Payload)
		}
		if !strings.HasSuffix(element, task.Payload) {
			t.Errorf("the payload %q is no end of %q", task.Payload, element)
		}
	})
}

// Each task of each worker is read: those without headers leave no garbage.
func TestReadingAnElementAllocatesNothing(t *testing.T) {
	element := Task{ID: "mail-1", Failed: 1, First: time.UnixMilli(1767225600123), Reservation: "r.1", Payload: "payload"}.Element()
	if n := testing.AllocsPerRun(100, func() { Parse(element) }); n > 0 {
		t.Errorf("it allocates %v times", n)
	}
}

var first = time.UnixMilli(1767225600123).UTC()

func TestParse(t *testing.T) {
	const long = "123456789_123456789_123456789_123456789_123456789_123456789_1234" // 64
	cases := map[string]struct {
		element string
		size    int // of which the element is the beginning; 0 where it is all
		want    Task
	}{
		"an envelope": {
			element: `qscaler:1:a.B-9_:2:3:1767225600123:r.1:9:{"k":"v"}payload`,
			want:    Task{ID: "a.B-9_", Failed: 2, Crashed: 3, First: first, Reservation: "r.1", Headers: map[string]string{"k": "v"}, Payload: "payload"},
		},
		"headers that are none": {
			element: "qscaler:1:x:0:0:1767225600123::2:[]payload",
			want:    Task{ID: "x", First: first, Payload: "payload"},
		},
		"headers and no payload": {
			element: `qscaler:1:x:0:0:1767225600123::9:{"k":"v"}`,
			want:    Task{ID: "x", First: first, Headers: map[string]string{"k": "v"}},
		},
		"each field as long as it may be": {
			element: "qscaler:1:" + long + long + ":999999999:999999999:001767225600123:" + long + long + long + ":000000009:{\"k\":\"v\"}payload",
			want: Task{
				ID: long + long, Failed: 999999999, Crashed: 999999999, First: first, Reservation: long + long + long,
				Headers: map[string]string{"k": "v"}, Payload: "payload",
			},
		},
		"a first time after the year 9999": {
			element: "qscaler:1:x:0:0:999999999999999::0:payload",
			want:    Task{ID: "x", First: time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), Payload: "payload"},
		},
		"the beginning of a longer one, with all headers": {
			element: `qscaler:1:x:0:0:1767225600123::9:{"k":"v"}pay`, size: 1000,
			want: Task{ID: "x", First: first, Headers: map[string]string{"k": "v"}, Payload: "pay"},
		},
		"the beginning of a longer one, that ends in the headers": {
			element: `qscaler:1:x:0:0:1767225600123::9:{"k"`, size: 42,
			want: Task{ID: "x", First: first},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			size := c.size
			if size == 0 {
				size = len(c.element)
			}
			if got := ParseBeginning(c.element, size); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// What is no envelope, to the letter, is a payload: somebody pushed it.
func TestParseAPayload(t *testing.T) {
	long := strings.Repeat("x", MaxID+1)
	cases := map[string]string{
		"any text":                                "payload",
		"another version":                         "qscaler:2:x:0:0:0::0:payload",
		"too few fields":                          "qscaler:1:x:0:0:0",
		"no identifier":                           "qscaler:1::0:0:0::0:payload",
		"an identifier with a space":              "qscaler:1:a b:0:0:0::0:payload",
		"an identifier that is too long":          "qscaler:1:" + long + ":0:0:0::0:payload",
		"failures with a sign":                    "qscaler:1:x:+1:0:0::0:payload",
		"failures that are too long":              "qscaler:1:x:0000000001:0:0::0:payload",
		"no failures":                             "qscaler:1:x::0:0::0:payload",
		"losses that are no number":               "qscaler:1:x:0:a:0::0:payload",
		"losses that are too long":                "qscaler:1:x:0:0000000001:0::0:payload",
		"a first time that is no number":          "qscaler:1:x:0:0:a::0:payload",
		"a first time that is too long":           "qscaler:1:x:0:0:0000000000000001::0:payload",
		"a reservation with a space":              "qscaler:1:x:0:0:0:a b:0:payload",
		"a length that is no number":              "qscaler:1:x:0:0:0::a:payload",
		"a length that is too long":               "qscaler:1:x:0:0:0::0000000000:payload",
		"more headers than there is text":         "qscaler:1:x:0:0:0::8:payload",
		"headers, and the element ends too early": "qscaler:1:x:0:0:0::1:",
	}
	for name, element := range cases {
		t.Run(name, func(t *testing.T) {
			if got, want := Parse(element), (Task{Payload: element}); !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want a payload", got)
			}
		})
	}
	const cut = `qscaler:1:x:0:0:0::9:{"k"`
	if got, want := ParseBeginning(cut, len(cut)+4), (Task{Payload: cut}); !reflect.DeepEqual(got, want) {
		t.Errorf("the beginning of an element that is too short for its headers is %+v, want a payload", got)
	}
}

func TestCheckID(t *testing.T) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	for c := range 256 {
		id := string([]byte{byte(c)})
		if err := CheckID(id); (err == nil) != strings.Contains(letters, id) {
			t.Errorf("of %q it says %v", id, err)
		}
	}
	for id, good := range map[string]bool{"": false, "a": true, "ab c": false, strings.Repeat("x", MaxID): true, strings.Repeat("x", MaxID+1): false} {
		if err := CheckID(id); (err == nil) != good || !good && !errors.Is(err, ErrInvalidID) {
			t.Errorf("of %q it says %v", id, err)
		}
	}
}

func TestCheckHeaders(t *testing.T) {
	frame := len(`{"k":""}`)
	if err := CheckHeaders(map[string]string{"k": strings.Repeat("v", MaxHeaders-frame)}); err != nil {
		t.Errorf("headers of the greatest length: %v", err)
	}
	err := CheckHeaders(map[string]string{"k": strings.Repeat("v", MaxHeaders-frame+1)})
	const want = "the headers are 65537 bytes long as JSON, and must be 65536 at most; put what is longer into the payload"
	if err == nil || err.Error() != want {
		t.Errorf("headers of a byte more: %v, want %s", err, want)
	}
}

func TestAttempt(t *testing.T) {
	if got := (Task{Failed: 2, Crashed: 4}).Attempt(); got != 7 {
		t.Errorf("after 2 failures and 4 losses it is attempt %d, want 7", got)
	}
}

func TestUnbegun(t *testing.T) {
	for reservation, want := range map[string]bool{"": false, "r-1": false, "_r": false, "-r": true, "--r": true} {
		if got := (Task{Reservation: reservation}).Unbegun(); got != want {
			t.Errorf("%q: unbegun %t, want %t", reservation, got, want)
		}
	}
}

func TestStamps(t *testing.T) {
	task := Task{ID: "x", Failed: 1, Crashed: 2, First: first, Reservation: "r", Headers: map[string]string{"k": "v"}, Payload: "a:b"}
	const element = `qscaler:1:x:1:2:1767225600123:r:9:{"k":"v"}a:b`
	if got := task.Element(); got != element {
		t.Errorf("the element is %s, want %s", got, element)
	}
	before, after := task.AroundFirst()
	if before != "qscaler:1:x:1:2:" || after != `:r:9:{"k":"v"}a:b` {
		t.Errorf("around the first time there are %s and %s", before, after)
	}
	next := Task{ID: "x", Failed: 2, Crashed: 2, First: first, Reservation: "s"}
	if got, want := Restamped(element, next.Stamp()), `qscaler:1:x:2:2:1767225600123:s:9:{"k":"v"}a:b`; got != want {
		t.Errorf("with another stamp it is %s, want %s", got, want)
	}
	greatest := Task{ID: "x", Failed: 1_000_000_000, Crashed: 1_000_000_000, First: first}
	if got, want := greatest.Stamp(), "qscaler:1:x:999999999:999999999:1767225600123::"; got != want {
		t.Errorf("with more attempts than the digits hold it is %s, want %s", got, want)
	}
	for stamp, first := range map[string]time.Time{
		"qscaler:1:x:0:0:0::":               time.Unix(-1, 0),
		"qscaler:1:x:0:0:253402300799999::": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := (Task{ID: "x", First: first}).Stamp(); got != stamp {
			t.Errorf("of a task that was first had at %s the stamp is %s, want %s", first, got, stamp)
		}
	}
}

func TestHeads(t *testing.T) {
	for n, want := range map[int]int{0: 0, HeadSize: HeadSize, HeadSize + 1: HeadSize} {
		element := strings.Repeat("e", n)
		if got := ByHead(element, 7); got != "^7:"+element[:want] {
			t.Errorf("an element of %d bytes is named by %d of them", n, len(got)-len("^7:"))
		}
	}
}
