package locate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// asked is a question that some servers answer, some refuse, and some never hear of.
func asked(ctx context.Context, address string) (string, error) {
	switch {
	case strings.HasPrefix(address, "well"):
		return "answer of " + address, nil
	case strings.HasPrefix(address, "silent"):
		<-ctx.Done()
		return "", ctx.Err()
	case strings.HasPrefix(address, "refuses"):
		return "", (*rueidis.RedisError)(nil)
	}
	return "", errors.New("no answer of " + address)
}

func TestFirst(t *testing.T) {
	for name, c := range map[string]struct {
		addresses []string
		want      string
	}{
		"the first":                     {[]string{"well-1", "well-2"}, "answer of well-1"},
		"the next after one that fails": {[]string{"down", "well"}, "answer of well"},
		"beside those that are silent":  {[]string{"silent-1", "silent-2", "well"}, "answer of well"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			got, err := first(t.Context(), c.addresses, asked)
			if err != nil || got != c.want {
				t.Errorf("%q (%v), want %q", got, err, c.want)
			}
			if took := time.Since(began); took >= askTimeout {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestFirstWhereAllFail(t *testing.T) {
	_, err := first(t.Context(), []string{"down-1", "down-2"}, asked)
	if err == nil || err.Error() != "no answer of down-1" {
		t.Errorf("the error is %v", err)
	}
	_, err = first(t.Context(), []string{"down-1", "refuses"}, asked)
	if refusal := (*rueidis.RedisError)(nil); !errors.As(err, &refusal) {
		t.Errorf("the error is %v, want the refusal", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := first(ctx, []string{"silent"}, asked); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestRedirect(t *testing.T) {
	for to, want := range map[string]string{
		"10.0.0.2:6379": "10.0.0.2:6379", "fd00::2:6379": "[fd00::2]:6379", "[fd00::2]:6379": "[fd00::2]:6379", ":6381": "10.0.0.1:6381",
		"": "", "redis": "", "redis:": "", "redis:0": "", "redis:65536": "", "redis:x": "", strings.Repeat("h", 254) + ":1": "",
	} {
		if got := redirect("10.0.0.1:6379", to); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}

// Who knows where the slot is is asked first, and who did not know it last.
func TestWhoIsAskedNext(t *testing.T) {
	c := NewCluster(1, "a:1", rueidis.ClientOption{})
	for _, step := range []struct {
		from, to string
		want     []string
	}{
		{"a:1", "", []string{"a:1"}},
		{"a:1", "b:1", []string{"b:1", "a:1"}},
		{"b:1", "", []string{"a:1", "b:1"}},
		{"a:1", "c:1", []string{"c:1", "b:1", "a:1"}},
		{"", "", []string{"c:1", "b:1", "a:1"}},
	} {
		if c.Moved(step.from, step.to); !slices.Equal(c.known, step.want) {
			t.Errorf("after %q named %q: %v, want %v", step.from, step.to, c.known, step.want)
		}
	}
}
