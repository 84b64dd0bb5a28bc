package scaling

// withoutEnded is the highest of the window without workers that have ended. Where a worker ends by itself after its
// task, the window holds those that are there, and nobody is created in the place of one that has done what was asked
// for. What is asked for now counts in any case.
//
//	asked     4 2 1 0 0 0 0
//	workers   4 4 2 1 0 0 0
//	desired   4 4 2 1 0 0 0   and without this 4 for the whole window
func (in Input) withoutEnded(asked, highest int64) int64 {
	if !in.EndAfterTask {
		return highest
	}
	return max(asked, min(highest, int64(in.Workers)))
}
