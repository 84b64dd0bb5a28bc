package qworker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func wrote(manager string, at time.Time, subresource string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &metav1.Time{Time: at}, Subresource: subresource,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1("{}"),
	}
}

// Another operator is noticed by what it writes while this one looks, and by nothing that was there before.
func TestWhoElseWrites(t *testing.T) {
	const own, other = "qscaler-a", "qscaler-b"
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type look struct {
		after   time.Duration
		entries []metav1.ManagedFieldsEntry
		want    []string
	}
	old := wrote(other, start.Add(-time.Hour), "status")
	fresh := wrote(other, start, "status")
	both := []string{own, other}
	cases := map[string][]look{
		"nobody":                         {{0, nil, nil}, {time.Minute, nil, nil}},
		"this one alone":                 {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{wrote(own, start, "status")}, nil}},
		"one that was there before":      {{0, []metav1.ManagedFieldsEntry{old}, nil}, {time.Minute, []metav1.ManagedFieldsEntry{old}, nil}},
		"one that comes":                 {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{fresh}, both}},
		"one that was there and goes on": {{0, []metav1.ManagedFieldsEntry{old}, nil}, {time.Minute, []metav1.ManagedFieldsEntry{fresh}, both}},
		"one that wrote the spec":        {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{wrote(other, start, "")}, nil}},
		"somebody who is no operator":    {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{wrote("kubectl", start, "status")}, nil}},
		"one that stops, for 10 minutes": {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{fresh}, both}, {10*time.Minute - 1, []metav1.ManagedFieldsEntry{fresh}, both}, {1, []metav1.ManagedFieldsEntry{fresh}, nil}},
		"two that come":                  {{0, nil, nil}, {time.Minute, []metav1.ManagedFieldsEntry{wrote("qscaler-c", start, "status"), fresh}, []string{own, other, "qscaler-c"}}},
	}
	for name, looks := range cases {
		t.Run(name, func(t *testing.T) {
			var w writers
			now := start
			for i, l := range looks {
				now = now.Add(l.after)
				qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{ManagedFields: l.entries}}
				if _, err := Strip(qw); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(l.want, w.note(own, qw, now)); diff != "" {
					t.Errorf("look %d (-want +got):\n%s", i, diff)
				}
				if at := w.recheckAt(); at.IsZero() != (l.want == nil) || !at.IsZero() && !at.After(now) {
					t.Errorf("look %d: looked at again at %v", i, at)
				}
				for _, e := range qw.ManagedFields {
					if e.FieldsV1 != nil {
						t.Errorf("look %d: fields are kept: %v", i, e)
					}
				}
			}
		})
	}
}
