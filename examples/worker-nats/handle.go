package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// handle does one task. YOUR WORK GOES HERE; this one sleeps and tells.
//
// It returns when the task is done. It may be called twice for one task, if the process or the pod was
// killed in between.
func handle(payload string) {
	id, duration := demoTask(payload)
	tell("started", id)
	time.Sleep(duration)
	tell("done", id)
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

// demoTask reads {"id":"t-17","ms":1500}. Anything else is a task of 0 ms whose id is the payload, quoted.
func demoTask(payload string) (id string, duration time.Duration) {
	var task struct {
		ID string `json:"id"`
		MS int64  `json:"ms"`
	}
	if json.Unmarshal([]byte(payload), &task) == nil && plainID.MatchString(task.ID) {
		return task.ID, time.Duration(task.MS) * time.Millisecond
	}
	return quote(payload), 0
}

// quote shows the first 80 bytes; what is not printable ASCII, quotes and backslashes become \xHH.
func quote(payload string) string {
	var b strings.Builder
	for _, c := range []byte(payload[:min(len(payload), 80)]) {
		if c < 32 || c > 126 || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// tell writes one line in one write call, so that lines of several workers never mix.
func tell(event, id string) {
	_, _ = fmt.Fprintf(os.Stdout, "%d %s %s\n", time.Now().UnixMilli(), event, id)
}
