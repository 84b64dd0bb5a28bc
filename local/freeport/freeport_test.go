package freeport

import (
	"net"
	"os"
	"strconv"
	"testing"
)

func TestAPortIsFreeAndNotOfTheKernelsRange(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(rangeFile)
	if err != nil {
		t.Skip(err)
	}
	low := beforeKernels(string(data))
	for range 20 {
		port, err := Find()
		if err != nil {
			t.Fatal(err)
		}
		if low > first && port >= low {
			t.Errorf("port %d: the kernel's begin at %d", port, low)
		}
	}
}

func TestAPortThatIsTakenIsNotFree(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, text, _ := net.SplitHostPort(listener.Addr().String())
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := free(port); err == nil {
		t.Errorf("port %d is said to be free", got)
	}
}

func TestTheKernelsRange(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]int{"32768\t60999\n": 32768, "": 0, "a b": 0, "1": 0} {
		if got := beforeKernels(words); got != want {
			t.Errorf("%q: %d, want %d", words, got, want)
		}
	}
}
