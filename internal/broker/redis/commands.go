package redis

import (
	"bytes"
	"strconv"
)

// commands follows what is sent, and says how each command may be answered. What is sent are the library's words: they
// are right.
type commands struct {
	// complete is called at the end of each command.
	complete func(bounds)
	// line is the beginning of a line whose end has not come yet.
	line []byte
	// all counts the arguments of the present command, args those that have not come yet, and skip the bytes of the present one, its line end included.
	all, args, skip int
	// name is the first argument of the present command; naming is true while it comes.
	name   []byte
	naming bool
	// queued counts the commands since the last MULTI.
	queued int
}

func (c *commands) scan(p []byte) {
	for len(p) > 0 {
		if c.skip > 0 {
			p = c.argument(p)
			continue
		}
		line, rest, found := bytes.Cut(p, []byte("\n"))
		c.line = append(c.line, line...)
		if p = rest; found {
			c.header(bytes.TrimSuffix(c.line, []byte("\r")))
			c.line = c.line[:0]
		}
	}
}

// header is the line that says how many arguments, or how many bytes, are to come.
func (c *commands) header(line []byte) {
	n, _ := strconv.Atoi(string(line[1:]))
	if line[0] == '*' {
		c.all, c.args, c.name, c.naming = n, n, c.name[:0], true
		return
	}
	c.skip = n + len("\r\n")
}

func (c *commands) argument(p []byte) (rest []byte) {
	n := min(c.skip, len(p))
	if c.naming {
		c.name = append(c.name, p[:n]...)
	}
	if c.skip -= n; c.skip > 0 {
		return p[n:]
	}
	c.naming = false
	if c.args--; c.args == 0 {
		c.ended(string(bytes.TrimSuffix(c.name, []byte("\r\n"))))
	}
	return p[n:]
}

func (c *commands) ended(name string) {
	c.complete(boundsOf(name, c.all, c.queued))
	if c.queued++; name == "MULTI" {
		c.queued = 0
	}
}
