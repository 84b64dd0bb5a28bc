package process

import (
	"os"
	"time"
)

// clockTick is the unit of the CPU times in /proc: USER_HZ is 100 on every Linux that Go runs on. (proc(5))
const clockTick = 10 * time.Millisecond

// Usage is what a process and its session use.
type Usage struct {
	// CPU is the time that it has used since its start; what has ended meanwhile is not counted.
	CPU time.Duration
	// Memory is what it holds, in bytes. Pages that processes share are counted for each.
	Memory int64
}

// Usages is the usage of every session of this machine, by the number of the process that leads it.
func Usages() (map[int]Usage, error) {
	table, err := processes()
	if err != nil {
		return nil, err
	}
	page := int64(os.Getpagesize())
	usages := make(map[int]Usage, len(table))
	for _, s := range table {
		u := usages[s.session]
		u.CPU += time.Duration(s.ticks) * clockTick
		u.Memory += int64(s.pages) * page
		usages[s.session] = u
	}
	return usages, nil
}
