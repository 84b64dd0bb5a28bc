package qworker

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/client-go/util/flowcontrol"
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
	byNamespace map[string]flowcontrol.RateLimiter
}

// wait waits until the next question may be asked.
func (p *presencePace) wait(ctx context.Context, namespace string) error {
	if err := p.of(namespace).Wait(ctx); err != nil {
		return fmt.Errorf("waiting to ask for a pod in %s, %w", namespace, err)
	}
	return nil
}

func (p *presencePace) of(namespace string) flowcontrol.RateLimiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	limiter := p.byNamespace[namespace]
	if limiter == nil {
		if p.byNamespace == nil {
			p.byNamespace = map[string]flowcontrol.RateLimiter{}
		}
		limiter = flowcontrol.NewTokenBucketRateLimiter(presencesPerSecond, presencesAtOnce)
		p.byNamespace[namespace] = limiter
	}
	return limiter
}
