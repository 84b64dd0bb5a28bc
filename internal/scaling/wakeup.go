package scaling

// Changes reports whether another state of the queue would change the decision.
//
// The question is put to Decide without the windows: a fall that they still hide must be told to them at once, because
// its time counts from then on.
func (in Input) Changes(next Queue) bool {
	if !in.Queue.read() || in.Queue.Stale {
		return true
	}
	if in.Queue == next {
		return false
	}
	in.Memory = in.Memory.begin(in)
	in.Memory.asked, in.Memory.needs = window{}, window{}
	before := Decide(in)
	in.Queue = next
	return Decide(in).Desired != before.Desired
}
