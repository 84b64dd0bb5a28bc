package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func TestPublishedAfter(t *testing.T) {
	grant := func(pod string) Action { return Action{Kind: GrantLeave, Pod: pod} }
	gone := func(pod string) Action { return Action{Kind: DeleteNotRunning, Pod: pod} }
	create, remove := Action{Kind: Create, Pod: "new"}, Action{Kind: Remove, Pod: "left"}
	cases := map[string]struct {
		decision Decision
		done     []Action
		want     string
	}{
		"nothing was to be published":               {Decision{Actions: []Action{grant("a")}}, []Action{grant("a")}, ""},
		"there was nothing else to do":              {Decision{Publish: "r2"}, nil, "r2"},
		"all who were to be let go are":             {Decision{Publish: "r2", Actions: []Action{grant("a"), gone("b")}}, []Action{gone("b"), grant("a")}, "r2"},
		"one who was to be let go is still there":   {Decision{Publish: "r2", Actions: []Action{grant("a"), gone("b")}}, []Action{grant("a")}, ""},
		"nor while it has been told nothing":        {Decision{Publish: "r2", Actions: []Action{grant("a")}}, nil, ""},
		"nor while it was not signalled":            {Decision{Publish: "r2", Actions: []Action{{Kind: SignalLeave, Pod: "a"}}}, nil, ""},
		"a pod that has left makes no room":         {Decision{Publish: "r2", Actions: []Action{remove}}, nil, "r2"},
		"a pod that is created was told of it":      {Decision{Publish: "r2", Actions: []Action{grant("a"), create}}, []Action{create}, "r2"},
		"one that could not be created is tried on": {Decision{Publish: "r2", Actions: []Action{create}}, nil, "r2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.decision.PublishedAfter(c.done); got != c.want {
				t.Errorf("PublishedAfter = %q, want %q", got, c.want)
			}
		})
	}
}

// A revision whose broker is yet to be read is stopped as a paused one is, and is not called paused.
func TestTheNewestRevisionsBrokerIsYetToBeRead(t *testing.T) {
	unread := func(f Fleet) Fleet { f.NewestBarred = true; return f }
	cases := map[string]struct {
		fleet Fleet
		want  []string
		stage Stage
	}{
		"no canary is created": {
			fleet: unread(steady(1, makeWorker("a")).to("r2")), stage: Canary,
		},
		"an available canary is not published, and stays": {
			fleet: unread(steady(1, makeWorker("a"), makeWorker("n").of("r2")).to("r2")), stage: Canary,
		},
		"the first revision is published: there is no other that works": {
			fleet: unread(steady(1).with(func(f *Fleet) { f.Published, f.Proven = "", false }).to("r2")), want: []string{"create r2"}, stage: Settled,
		},
		"the fleet scales on the published revision": {
			fleet: unread(steady(2, makeWorker("a")).to("r2")), want: []string{"create r1"}, stage: Canary,
		},
		"a worker on a node that is to go is replaced": {
			fleet: unread(steady(1, makeWorker("a").nodeLeaving(), makeWorker("b")).to("r2")),
			want:  []string{"grant a " + string(contract.ReasonNodeDrain)}, stage: Canary,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if d.Stage != c.stage || (d.Stage == Canary && d.Publish != "") || d.Obstacle != (Obstacle{}) {
				t.Errorf("stage %s, published %q, obstacle %+v", d.Stage, d.Publish, d.Obstacle)
			}
		})
	}
}

func TestWhatCannotBeCreatedIsMissing(t *testing.T) {
	const why = "there is no ScalerConfig"
	without := func(f Fleet, revisions ...string) Fleet {
		f.Uncreatable = map[string]string{}
		for _, r := range revisions {
			f.Uncreatable[r] = why
		}
		return f
	}
	cases := map[string]struct {
		fleet   Fleet
		want    []string
		missing []Missing
	}{
		"two are missing, and nothing is done": {
			fleet: without(steady(3, makeWorker("a")), "r1"), missing: []Missing{{"r1", 2, why}},
		},
		"nothing is missing where nothing is to be created": {
			fleet: without(steady(1, makeWorker("a")), "r1"),
		},
		"what else there is to do is done": {
			fleet: without(steady(2, makeWorker("a"), makeWorker("l").phase(Left).settled()), "r1"), want: []string{"remove l"}, missing: []Missing{{"r1", 1, why}},
		},
		"a grant that is taken back fills a place": {
			fleet: without(steady(2, makeWorker("a"), makeWorker("g").granted(contract.ReasonScaleDown, 0)), "r1"), want: []string{"withdraw g"},
		},
		"a canary is missing, and the fleet scales": {
			fleet: without(steady(2, makeWorker("a")).to("r2"), "r2"), want: []string{"create r1"}, missing: []Missing{{"r2", 1, why}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.missing, d.Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			if !d.RecheckAt.IsZero() {
				t.Errorf("it asks to look again at %v, when nothing will have changed", d.RecheckAt)
			}
		})
	}
}
