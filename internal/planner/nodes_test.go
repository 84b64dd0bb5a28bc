package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func TestNodes(t *testing.T) {
	const nodeDrain = contract.ReasonNodeDrain
	cases := map[string]struct {
		fleet Fleet
		want  []string
	}{
		"a worker whose node is to go is replaced first": {
			fleet: steady(2, makeWorker("a").nodeLeaving().busy(), makeWorker("b").busy()),
			want:  []string{"create r1"},
		},
		"and has a grant once its replacement is available": {
			fleet: steady(2, makeWorker("a").nodeLeaving().busy(), makeWorker("b").busy(), makeWorker("c")),
			want:  []string{"grant a NodeDrain"},
		},
		"many are replaced within the surge": {
			fleet: steady(8, many("a", 8, worker.nodeLeaving)...),
			want:  []string{"create r1", "create r1"},
		},
		"one that is not running is deleted at once": {
			fleet: steady(1, makeWorker("a").nodeLeaving().phase(Pending)),
			want:  []string{"delete a", "create r1"},
		},
		"one too many is replaced by nobody": {
			fleet: steady(1, makeWorker("a").nodeLeaving().busy(), makeWorker("b").idle()),
			want:  []string{"grant a NodeDrain"},
		},
		"a canary gives its place in the surge to a replacement": {
			fleet: steady(4, append(busy(3), makeWorker("d").nodeLeaving().busy(), makeWorker("canary").of("r2").phase(Pending))...).to("r2"),
			want:  []string{"delete canary", "create r1"},
		},
		"a replacement that starts has the surge to itself": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").phase(Pending).age(time.Minute))...).to("r2"),
		},
		"replacements that do not come up leave one place for a canary": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").phase(Pending))...).to("r2"),
			want:  []string{"create r2"},
		},
		"and the canary keeps it, and takes none of theirs": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").phase(Pending), makeWorker("canary").of("r2").phase(Pending))...).to("r2"),
		},
		"so do replacements that are refused": {
			fleet: steady(4, many("a", 4, worker.nodeLeaving)...).to("r2").with(func(f *Fleet) {
				f.FailedCreations = map[string]FailedCreation{"r1": {RetryAt: t0.Add(time.Second), Refused: true}}
			}),
			want: []string{"create r2"},
		},
		"so do replacements that crash": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("f").failed(1, time.Second))...).to("r2"),
			want:  []string{"create r2"},
		},
		"so do replacements that fail beside those that wait": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").unready().crashing())...).to("r2"),
			want:  []string{"create r2"},
		},
		"but not one that was ready until a moment ago": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").unready().crashing().readyFor(time.Minute))...).to("r2"),
		},
		"nor one that is merely not ready": {
			fleet: steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("b").unready())...).to("r2"),
		},
		"what was never proven and waits on a node that is to go is deleted once": {
			fleet: steady(1, makeWorker("a").busy(), makeWorker("x").of("r0").phase(Pending).nodeLeaving()).to("r2"),
			want:  []string{"delete x", "create r2"},
		},
		"a worker of the fleet that waits on such a node is deleted, though a canary is tried": {
			fleet: steady(2, makeWorker("a").busy(), makeWorker("b").phase(Pending).nodeLeaving()).to("r2").surge(Pods(1)),
			want:  []string{"delete b", "create r1", "create r2"},
		},
		"so is one of a revision that was never proven replaced while it works": {
			fleet: steady(1, makeWorker("a").busy(), makeWorker("x").of("r0").busy().nodeLeaving()).to("r2"),
			want:  []string{"grant x Rollout", "create r2"},
		},
		"but not ones for which the API server was only out of reach": {
			fleet: steady(4, many("a", 4, worker.nodeLeaving)...).to("r2").with(func(f *Fleet) {
				f.FailedCreations = map[string]FailedCreation{"r1": {RetryAt: t0.Add(time.Second)}}
			}),
		},
		"a surge for more than those who leave has a canary beside their replacements": {
			fleet: steady(8, append(many("a", 7, worker.busy), makeWorker("l").nodeLeaving().busy(), makeWorker("b").phase(Pending))...).to("r2"),
			want:  []string{"create r2"},
		},
		"without surge the canary comes beside the replacement that does not come up": {
			fleet: steady(4, append(many("a", 3, worker.nodeLeaving), makeWorker("b").phase(Pending))...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"create r2"},
		},
		"a canary of a paused rollout has a grant from a node that is to go": {
			fleet: steady(4, append(busy(4), makeWorker("canary").of("r2").busy().nodeLeaving())...).to("r2").paused(),
			want:  []string{"grant canary NodeDrain"},
		},
		"a canary that starts on a node that is to go is tried elsewhere": {
			fleet: steady(4, append(busy(4), makeWorker("canary").of("r2").phase(Pending).nodeLeaving())...).to("r2"),
			want:  []string{"delete canary", "create r2"},
		},
		"the node stays, and a worker is missing: it comes back": {
			fleet: steady(1, makeWorker("a").busy().granted(nodeDrain, time.Minute)),
			want:  []string{"withdraw a"},
		},
		"the node stays: who is busy comes back, and the idle replacement leaves": {
			fleet: steady(1, makeWorker("a").busy().granted(nodeDrain, time.Minute), makeWorker("b").idle()),
			want:  []string{"withdraw a", "grant b ScaleDown"},
		},
		"the node stays: who is idle leaves when its replacement is busy": {
			fleet: steady(1, makeWorker("a").idle().granted(nodeDrain, time.Minute), makeWorker("b").busy()),
		},
		"the node stays: two come back, and two others leave": {
			fleet: steady(2, makeWorker("a").busy().granted(nodeDrain, time.Minute), makeWorker("b").busy().granted(nodeDrain, time.Minute), makeWorker("c").idle(), makeWorker("d").idle()),
			want:  []string{"withdraw a", "withdraw b", "grant c ScaleDown", "grant d ScaleDown"},
		},
		"the node stays: the replacement that starts is deleted": {
			fleet: steady(1, makeWorker("a").busy().granted(nodeDrain, time.Minute), makeWorker("b").phase(Pending)),
			want:  []string{"withdraw a", "delete b"},
		},
		"the node stays: who is ready comes back for one that is not": {
			fleet: steady(1, makeWorker("a").idle().granted(nodeDrain, time.Minute), makeWorker("b").unready()),
			want:  []string{"withdraw a", "grant b ScaleDown"},
		},
		"the node stays: who is not ready does not come back": {
			fleet: steady(1, makeWorker("a").unready().busy().granted(nodeDrain, time.Minute), makeWorker("b").idle()),
		},
		"the node stays: nobody comes back where all are busy": {
			fleet: steady(1, makeWorker("a").busy().granted(nodeDrain, time.Minute), makeWorker("b").busy()),
		},
		"who leaves a smaller fleet does not come back for another": {
			fleet: steady(1, makeWorker("a").busy().granted(contract.ReasonScaleDown, time.Minute), makeWorker("b").idle()),
		},
		"while the queue cannot be read nobody is replaced": {
			fleet: steady(2, makeWorker("a").nodeLeaving(), makeWorker("b").nodeLeaving().phase(Pending)).with(func(f *Fleet) { f.DepthKnown = false }),
		},
		"the node is still to go: the grant stays": {
			fleet: steady(1, makeWorker("a").busy().nodeLeaving().granted(nodeDrain, time.Minute)),
			want:  []string{"create r1"},
		},
		"an unreachable worker is replaced": {
			fleet: steady(2, makeWorker("a").busy().unreachable(), makeWorker("b").busy()),
			want:  []string{"create r1"},
		},
		"and counts again when it is back": {
			fleet: steady(2, makeWorker("a").busy(), makeWorker("b").busy(), makeWorker("replacement").idle()),
			want:  []string{"grant replacement ScaleDown"},
		},
		"a QWorker that is deleted grants unreachable workers too": {
			fleet: steady(1, makeWorker("a").unreachable()).with(func(f *Fleet) { f.Deleting = true }),
			want:  []string{"grant a Delete"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, short(Plan(c.fleet).Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}
