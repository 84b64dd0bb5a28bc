package qworker

import (
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/revision"
)

// A revision is not stored again because the cache is behind, and one that somebody has deleted is forgotten.
func TestARevisionThatIsStoredIsKnown(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	old, stored := revision.Revision{Hash: "old", Number: 1}, revision.Revision{Hash: "new", Number: 2}
	for name, test := range map[string]struct {
		cached []revision.Revision
		after  time.Duration
		want   string // the newest
		kept   bool
	}{
		"the cache is behind":     {[]revision.Revision{old}, time.Second, "new", true},
		"the cache shows it":      {[]revision.Revision{old, stored}, time.Second, "new", false},
		"the cache shows it late": {[]revision.Revision{old, stored}, time.Minute, "new", false},
		"somebody has deleted it": {[]revision.Revision{old}, time.Minute, "old", false},
	} {
		m := newMemory("uid")
		m.stored = &storedRevision{stored, now.Add(cachePatience)}
		got := m.withStored(test.cached, now.Add(test.after))
		if newest := got[len(got)-1].Hash; newest != test.want || (m.stored != nil) != test.kept {
			t.Errorf("%s: the newest is %s, kept %t; want %s, %t", name, newest, m.stored != nil, test.want, test.kept)
		}
	}
}
