package scaling

import (
	"fmt"
	"strconv"
)

// finishing counts how many of the workers are for messages that workers on their way out are busy with. It leaves the
// number as it is: the window goes down at its own pace, but nobody is created for those messages meanwhile.
func finishing(in Input, n int64, d *Decision) (int64, Note) {
	if !in.Queue.read() {
		return n, Note{Why: "a queue that has not been read says nothing of who is busy"}
	}
	m := &d.Memory
	demand := in.Queue.demand()
	asked := in.Scale.asked(demand)
	leaving := in.Queue.messages() - demand
	if more := leaving - m.leaving.N; m.leaving.Known && more > 0 {
		m.needs = m.needs.without(in.Scale.asked(sum(demand, more)) - asked)
	}
	m.leaving = Counted(leaving)
	if !in.Queue.counted() {
		asked = max(asked, m.needs.last())
	}
	needs, highest, falls := m.needs.add(in.Now, asked, in.Scale.DownDelay)
	m.needs = needs
	needed, _ := in.Scale.within(highest)
	d.Finishing = int(max(n-needed, 0))
	note := Note{Why: "no worker is for messages that leaving workers finish", Inputs: []Fact{{"leaving", strconv.FormatInt(leaving, 10)}}}
	if d.Finishing > 0 {
		note.Why = fmt.Sprintf("%d of %d %s that leaving workers finish: nobody is created for those", d.Finishing, n, isFor(d.Finishing))
		note.Until = falls
	}
	return n, note
}

func isFor(workers int) string {
	if workers == 1 {
		return "is for messages"
	}
	return "are for messages"
}
