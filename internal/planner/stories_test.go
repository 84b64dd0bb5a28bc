package planner

import (
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden from what the simulations do now")

func TestSimulations(t *testing.T) {
	stories := map[string]func(*world){
		"burst": func(w *world) {
			w.push(4, 3)
			w.push(1, 50)
			w.run(70)
		},
		"demand-returns": func(w *world) {
			w.push(6, 4)
			w.run(12)
			w.push(5, 3)
			w.run(30)
		},
		"many-messages-a-worker": func(w *world) {
			w.scale.PerMessage = big.NewRat(1, 4)
			w.push(16, 2)
			w.run(12)
			w.push(4, 60)
			w.run(120)
		},
		"rollout": func(w *world) {
			w.push(6, 15)
			w.run(5)
			w.spec.Newest = "r2"
			w.note("the spec changes")
			w.push(4, 10)
			w.run(45)
		},
		"bad-canary": func(w *world) {
			w.push(4, 20)
			w.run(5)
			w.broken["r2"] = true
			w.change("r2", "the spec changes to an image that does not exist")
			w.run(5)
			w.push(3, 5)
			w.run(20)
			w.spec.Newest = "r3"
			w.note("the spec is corrected")
			w.push(4, 5)
			w.run(40)
		},
		"rollback-half-way": func(w *world) {
			w.push(8, 30)
			w.run(5)
			w.spec.Newest = "r2"
			w.note("the spec changes")
			w.run(7)
			w.spec.Newest = "r1"
			w.note("the spec is rolled back")
			w.run(60)
		},
		"scale-up-in-a-rollout": func(w *world) {
			w.push(4, 12)
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(2)
			w.push(2, 10)
			w.run(3)
			w.push(6, 10)
			w.run(50)
		},
		"scale-down-in-a-rollout": func(w *world) {
			w.push(4, 6)
			w.push(4, 40)
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(60)
		},
		"second-change-in-a-rollout": func(w *world) {
			w.push(6, 25)
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(4)
			w.change("r3", "the spec changes again")
			w.run(4)
			w.change("r4", "and again")
			w.run(50)
		},
		"rollout-over-long-tasks": func(w *world) {
			w.push(4, 8*60)
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(8 * 60)
		},
		"rollout-without-surge": func(w *world) {
			w.scale.Min = 3
			w.spec.Rollout = Rollout{Unavailable: Pods(1), MinReady: 3 * time.Second}
			w.push(3, 10)
			w.run(5)
			w.change("r2", "the spec changes; one canary at a time, in the place of a worker, and ready for 3 s")
			w.run(40)
		},
		"paused-rollout": func(w *world) {
			w.scale.Min = 4
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(4)
			w.spec.Rollout.Paused = true
			w.note("the rollout is paused")
			w.push(6, 5)
			w.run(20)
			w.spec.Rollout.Paused = false
			w.note("the rollout goes on")
			w.run(20)
		},
		"bad-canary-at-zero": func(w *world) {
			w.scale.Min = 0
			w.push(2, 5)
			w.run(5)
			w.broken["r2"] = true
			w.change("r2", "the spec changes to an image that does not exist")
			w.run(15)
			w.note("at zero the image is not published, because it was tried")
			w.push(2, 5)
			w.run(20)
		},
		"node-drain": func(w *world) {
			w.scale.Min = 2
			w.push(6, 20)
			w.run(5)
			w.cordon("n1", true)
			w.run(40)
		},
		"new-password": func(w *world) {
			w.scale.Min = 2
			w.push(5, 20)
			w.run(5)
			w.changePassword()
			w.run(40)
		},
		"new-password-beside-a-bad-canary": func(w *world) {
			w.scale.Min = 4
			w.run(5)
			w.broken["r2"] = true
			w.change("r2", "the spec changes to an image that does not exist")
			w.run(5)
			w.changePassword()
			w.run(30)
			w.change("r1", "the spec is rolled back")
			w.run(20)
		},
		"node-pool-goes": func(w *world) {
			w.scale.Min = 4
			w.spec.Rollout.Deadline = 10 * time.Minute
			w.pool["r1"], w.pool["r2"] = "n1", "n2"
			w.run(5)
			w.cordon("n1", true)
			w.run(10)
			w.change("r2", "the spec changes from the pool that goes, n1, to n2")
			w.push(2, 20)
			w.run(200)
		},
		"node-that-stays": func(w *world) {
			w.push(4, 30)
			w.run(5)
			w.cordon("n1", true)
			w.run(4)
			w.cordon("n1", false)
			w.run(40)
		},
		"operator-restarts-at-every-step-of-a-rollout": func(w *world) {
			w.restless = true
			w.push(5, 8)
			w.run(5)
			w.change("r2", "the spec changes")
			w.run(6)
			w.push(3, 5)
			w.run(30)
		},
		"broker-away": func(w *world) {
			w.push(4, 5)
			w.run(5)
			w.blind = true
			w.note("the broker does not answer")
			w.run(60)
			w.blind = false
			w.note("the broker answers")
			w.run(15)
		},
		"operator-restarts": func(w *world) {
			w.push(5, 6)
			w.run(4)
			w.restartOperator()
			w.run(3)
			w.restartOperator()
			w.run(3)
			w.restartOperator()
			w.run(20)
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			w := newWorld(1, 10)
			story(w)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(w.log.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), w.log.String()); diff != "" {
				t.Errorf("the simulation differs from %s; if that is meant, run go test ./internal/planner -update (-want +got):\n%s", path, diff)
			}
		})
	}
}

// TestSimulationsInterruptNobody checks what must hold in every story, whatever its golden says.
func TestSimulationsInterruptNobody(t *testing.T) {
	w := newWorld(0, 20)
	for i := range 20 {
		w.push(i%7, 1+i%5)
		if i%6 == 5 {
			w.spec.Newest = fmt.Sprintf("r%d", 2+i/6)
		}
		if i%4 == 3 {
			w.restartOperator()
		}
		w.run(1 + i*3%11)
	}
	pushed := 0
	for i := range 20 {
		pushed += i % 7
	}
	w.run(120)
	if w.done != pushed || len(w.pods) != 0 {
		t.Errorf("%d of %d tasks done, %d pods left; want all, and none\n%s", w.done, pushed, len(w.pods), w.log.String())
	}
}
