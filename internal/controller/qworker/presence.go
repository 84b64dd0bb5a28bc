package qworker

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"golang.org/x/time/rate"
)

// Per namespace and second, so many dead workers are looked up in the API server, and so many at once before that bound
// holds. A broker can have thousands of lists of workers that never were: each costs one read, and all of them together
// would be in everybody's way.
const (
	presencesPerSecond = 50
	presencesAtOnce    = 200
)

// presencePace holds back the questions of a namespace after its pods.
type presencePace struct {
	mu          sync.Mutex
	byNamespace map[string]*namespacePace
}

// namespacePace is the pace of one namespace.
type namespacePace struct {
	*rate.Limiter
	// waiting is how many questions wait for their turn.
	waiting int
}

// wait waits until the next question may be asked.
func (p *presencePace) wait(ctx context.Context, namespace string) error {
	pace := p.enter(namespace)
	defer p.leave(pace)
	if err := pace.Wait(ctx); err != nil {
		return fmt.Errorf("waiting to ask for a pod in %s, %w", namespace, err)
	}
	return nil
}

func (p *presencePace) enter(namespace string) *namespacePace {
	p.mu.Lock()
	defer p.mu.Unlock()
	pace := p.byNamespace[namespace]
	if pace == nil {
		p.forget()
		pace = &namespacePace{Limiter: rate.NewLimiter(presencesPerSecond, presencesAtOnce)}
		p.byNamespace[namespace] = pace
	}
	pace.waiting++
	return pace
}

func (p *presencePace) leave(pace *namespacePace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pace.waiting--
}

// forget drops the paces that hold nobody back: a new one would be the same. Namespaces come and go.
func (p *presencePace) forget() {
	if p.byNamespace == nil {
		p.byNamespace = map[string]*namespacePace{}
	}
	maps.DeleteFunc(p.byNamespace, func(_ string, pace *namespacePace) bool {
		return pace.waiting == 0 && pace.Tokens() >= presencesAtOnce
	})
}
