package redistest

import "strconv"

// Move moves a slot to another node, as redis-cli --cluster reshard does. between, which may be nil, is called after each step: the
// slot is then in motion.
func (c *Cluster) Move(slot int, to *Server, between func()) {
	c.t.Helper()
	from, number := c.Owner(slot), strconv.Itoa(slot)
	step := func() {
		if between != nil {
			between()
		}
	}
	to.must("CLUSTER", "SETSLOT", number, "IMPORTING", c.id(from))
	step()
	from.must("CLUSTER", "SETSLOT", number, "MIGRATING", c.id(to))
	step()
	for {
		keys, err := from.must("CLUSTER", "GETKEYSINSLOT", number, "1").AsStrSlice()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		from.must("MIGRATE", "127.0.0.1", to.Port(), keys[0], "0", "5000")
		step()
	}
	id := c.id(to)
	to.must("CLUSTER", "SETSLOT", number, "NODE", id)
	step()
	from.must("CLUSTER", "SETSLOT", number, "NODE", id)
	c.AwaitOK()
}
