package fleet

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// crashWords say how often a container was restarted, and how it has ended: the number first, for the program's last words
// may be long. They are the same while it waits for its
// restart and once it runs again, so that a crash loop is told once.
func crashWords(t *corev1.ContainerStateTerminated, restarts int32) string {
	words := exitWords(t)
	switch {
	case restarts == 1:
		words = "restarted once; " + words
	case restarts > 1:
		words = fmt.Sprintf("restarted %d times; %s", restarts, words)
	}
	return words
}

// exitWords say how a container has ended: the runtime's reason, the exit code, how long it ran, and what it has left to
// be read.
func exitWords(t *corev1.ContainerStateTerminated) string {
	words := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Signal != 0 {
		words = fmt.Sprintf("signal %d", t.Signal)
	}
	if ran, ok := ranFor(t); ok {
		words += " after " + briefly(ran)
	}
	if !saysNothing[t.Reason] {
		words = joinWords(t.Reason, words)
	}
	return joinWords(words, oneLine(t.Message))
}

// saysNothing has the reasons of an end that the exit code tells as well.
var saysNothing = map[string]bool{"": true, "Error": true, "Completed": true}

// notStarted has the reasons of an end without a beginning.
var notStarted = map[string]bool{"StartError": true, "ContainerCannotRun": true}

// ranFor is how long a container ran, where that is known. Of one that was never started some runtimes say 1970.
func ranFor(t *corev1.ContainerStateTerminated) (ran time.Duration, ok bool) {
	if t.StartedAt.Unix() <= 0 || t.FinishedAt.Unix() <= 0 || notStarted[t.Reason] {
		return 0, false
	}
	return max(t.FinishedAt.Sub(t.StartedAt.Time), 0), true
}

// briefly is a duration without the parts that nobody needs.
func briefly(d time.Duration) string {
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// longestTail is how much of a message is told, in bytes: its end, where a program says what it died of.
const longestTail = 400

// oneLine is a message as a part of a sentence.
func oneLine(message string) string {
	line := strings.Join(strings.Fields(message), " ")
	if len(line) <= longestTail {
		return line
	}
	return "..." + strings.ToValidUTF8(line[len(line)-longestTail:], "")
}

func joinWords(reason, message string) string {
	return strings.Trim(reason+": "+message, ": ")
}
