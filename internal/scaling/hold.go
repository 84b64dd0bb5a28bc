package scaling

// hold keeps the number from falling while the queue cannot be read for certain: what is not known is not zero.
func hold(in Input, n int64, d *Decision) (int64, Note) {
	if in.Queue.certain() {
		return n, Note{Why: "the queue is read"}
	}
	held, _ := in.Scale.within(int64(d.Memory.desired))
	if n >= held {
		return n, Note{Why: "the queue cannot be read for certain, and no fewer are asked for than before"}
	}
	return held, Note{Why: stay(held) + " until the queue can be read again"}
}
