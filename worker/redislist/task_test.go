package redislist

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func FuzzElementAndBack(f *testing.F) {
	f.Add("mail-1", 2, 3, int64(1767225600123), "pod.7", "trace", "a:b", "payload: any bytes \x00\xff")
	f.Add("x", 0, 0, int64(0), "", "", "", "")
	f.Fuzz(func(t *testing.T, id string, failed, lost int, first int64, reservation, header, value, payload string) {
		const digits9 = 1e9
		if CheckID(id) != nil || !isID(reservation) || failed < 0 || failed >= digits9 || lost < 0 || lost >= digits9 || first < 0 || first > latest {
			t.Skip("an envelope cannot have it")
		}
		want := Task{ID: id, Failed: failed, Lost: lost, First: time.UnixMilli(first).UTC(), Reservation: reservation, Payload: payload}
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
