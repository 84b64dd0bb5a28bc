package redisservertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Rights are those that a page of docs/ gives a user, by its first ACL SETUSER below the heading, with the name of another
// queue in the place of the page's own. So what tests run with is what is printed.
func Rights(t testing.TB, page, heading, user, pageQueue, queue string) []string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "..", "docs", filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(text), "\n"+heading+"\n")
	_, command, is := strings.Cut(below, "\nredis-cli ACL SETUSER "+user+" on '>password' ")
	if !found || !is {
		t.Fatalf("docs/%s gives %s no rights below %q", page, user, heading)
	}
	command = strings.ReplaceAll(command, "\\\n", " ")
	command, _, _ = strings.Cut(command, "\n")
	words, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+command).Output()
	if err != nil {
		t.Fatalf("reading the rights of %s in docs/%s, %v", user, page, err)
	}
	return strings.Fields(strings.ReplaceAll(string(words), pageQueue, queue))
}
