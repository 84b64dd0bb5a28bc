package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// reportFailure logs what a person needs to understand why a story failed.
func (s *story) reportFailure() {
	if !s.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var out strings.Builder
	for _, write := range []func(context.Context, *strings.Builder){s.writeFleets, s.writeEvents, s.writeWorkers} {
		write(ctx, &out)
	}
	fmt.Fprintf(&out, "\nthe operator's log, of all stories on its stack:\n%s", tail(s.stack.Operator().Log(), 8000))
	s.Log(out.String())
}

func (s *story) writeFleets(ctx context.Context, out *strings.Builder) {
	var list v1alpha1.QWorkerList
	if err := s.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		fmt.Fprintln(out, "listing QWorkers:", err)
	}
	for _, q := range list.Items {
		st := q.Status
		fmt.Fprintf(out, "\nQWorker %s: desired %d, current %d, all %d, ready %d, draining %d, terminating %d, revision %s\n", q.Name,
			st.DesiredReplicas, st.CurrentReplicas, st.Replicas, st.ReadyReplicas, st.DrainingReplicas, st.TerminatingReplicas, st.CurrentPodSpecHash)
		for _, c := range st.Conditions {
			fmt.Fprintf(out, "  %s=%s (%s): %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

func (s *story) writeEvents(ctx context.Context, out *strings.Builder) {
	fmt.Fprintln(out, "\nevents:")
	for _, e := range s.events(ctx) {
		fmt.Fprintf(out, "  %s %s %s: %s\n", e.EventTime.Format("15:04:05.000"), e.Regarding.Name, e.Reason, e.Note)
	}
}

// events has the namespace's events, oldest first.
func (s *story) events(ctx context.Context) []eventsv1.Event {
	var list eventsv1.EventList
	if err := s.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		s.Log("listing events:", err)
	}
	slices.SortFunc(list.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	return list.Items
}

func (s *story) writeWorkers(_ context.Context, out *strings.Builder) {
	s.census.mu.Lock()
	defer s.census.mu.Unlock()
	for name, r := range s.census.pods {
		state := string(r.pod.Status.Phase)
		if r.gone {
			state = "gone, last seen " + state
		}
		fmt.Fprintf(out, "\npod %s: %s, annotations %v; its log:\n%s", name, state, r.pod.Annotations,
			tail(s.stack.LogPath(s.namespace, name, container), 600))
	}
}

// tail is the end of a file, in whole lines.
func tail(path string, size int) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error() + "\n")
	}
	if len(data) <= size {
		return data
	}
	data = data[len(data)-size:]
	return data[bytes.IndexByte(data, '\n')+1:]
}
