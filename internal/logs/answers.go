package logs

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
)

// Answers logs the warnings that come with the API server's answers, each once for what it is about. It is a
// rest.WarningHandlerWithContext.
type Answers struct {
	mu   sync.Mutex
	told map[answer]bool
}

type answer struct{ about, words string }

// mostAnswers is how many are remembered. Then all are told again.
const mostAnswers = 1000

type aboutKey struct{}

type about struct {
	what  string
	words func(string) string
}

// About makes a context for requests about something, such as all pods of one revision. The words of a warning are
// changed by words.
func About(ctx context.Context, what string, words func(string) string) context.Context {
	return context.WithValue(ctx, aboutKey{}, about{what, words})
}

// HandleWarningHeaderWithContext takes a warning. 299 is the code of those that are for people.
func (a *Answers) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	const forPeople = 299
	if code != forPeople || text == "" {
		return
	}
	of, _ := ctx.Value(aboutKey{}).(about)
	if of.words != nil {
		text = of.words(text)
	}
	if !a.isNew(answer{of.what, text}) {
		return
	}
	Warn(logr.FromContextOrDiscard(ctx), "The API server warns", "says", text)
}

func (a *Answers) isNew(said answer) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told[said] {
		return false
	}
	if a.told == nil || len(a.told) >= mostAnswers {
		a.told = map[answer]bool{}
	}
	a.told[said] = true
	return true
}
