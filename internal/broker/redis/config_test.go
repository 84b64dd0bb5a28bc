package redis

import (
	"strings"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
)

func TestTheBlockOfSettings(t *testing.T) {
	for own, c := range map[string]struct {
		layout Layout
		due    Due
		says   string
	}{
		``:                    {},
		`{}`:                  {},
		`{"layout":"List"}`:   {layout: Lists},
		`{"layout":"Stream"}`: {layout: Streams},
		`{"layout":"SortedSet","due":"Milliseconds"}`: {layout: SortedSets, due: InMilliseconds},
		`{"layout":"Tree"}`:                           {says: `config.redis.layout is "Tree"`},
		`{"layout":"SortedSet","due":"Days"}`:         {says: `config.redis.due is "Days"`},
		`{"layout":"Stream","due":"Seconds"}`:         {says: "config.redis.due is of sorted sets"},
		`{"due":"Seconds"}`:                           {says: "config.redis.due is of sorted sets"},
		`{"layout":7}`:                                {says: "reading config.redis"},
	} {
		config, err := parse(broker.Settings{Host: "h", Port: 1, Own: []byte(own)})
		switch {
		case c.says != "":
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", own, err, c.says)
			}
		case err != nil:
			t.Errorf("%s: %v", own, err)
		default:
			if got := config.(Config); got.Layout != c.layout || got.Due != c.due {
				t.Errorf("%s: %+v", own, got)
			}
		}
	}
}

// Another layout is another connection, and another search. The default is what it stands for.
func TestLayoutsApart(t *testing.T) {
	list, stream, set := Config{Layout: Lists}, Config{Layout: Streams}, Config{Layout: SortedSets}
	if !list.Equal(Config{}) || list.Server() != (Config{}).Server() {
		t.Error("List is not the default")
	}
	for _, other := range []Config{stream, set} {
		if list.Equal(other) || list.Server() == other.Server() {
			t.Errorf("%s is taken for a list", other.Layout)
		}
	}
	if (Config{Layout: SortedSets, Due: InSeconds}).Equal(set) || !(Config{Layout: SortedSets, Due: Always}).Equal(set) {
		t.Error("what is due is not compared")
	}
}
