package backlog

import (
	"context"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// inspectInterval is how often a broker is asked for its settings: they change seldom, and whoever changes them waits for
// the word that all is well.
const inspectInterval = 5 * time.Minute

// keepInspecting asks for the risks of the broker, until ctx is done. It goes beside the reads: a broker that is slow to
// answer it delays none. What was known stays where it gives no answer.
func (s *source) keepInspecting(ctx context.Context, driver broker.Driver) {
	inspector, ok := driver.(broker.Inspector)
	if !ok {
		return
	}
	s.beside.Go(func() {
		for {
			if risks, err := s.risksOf(ctx, inspector); err == nil {
				s.noteRisks(risks)
			}
			if !s.pause(ctx, s.options.Jitter(inspectInterval)) {
				return
			}
		}
	})
}

func (s *source) risksOf(ctx context.Context, inspector broker.Inspector) (risks []broker.Risk, err error) {
	defer contain(&err)
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	if risks, err = inspector.Inspect(ctx); err != nil {
		return nil, err
	}
	for i := range risks {
		risks[i].Message = broker.Words(risks[i].Message, broker.Secret{})
	}
	return risks, nil
}

// noteRisks wakes those who keep an eye on the broker's health where its risks have changed.
func (s *source) noteRisks(risks []broker.Risk) {
	s.mu.Lock()
	var watchers []Key
	if !slices.Equal(s.risks, risks) {
		s.risks = risks
		watchers = s.healthWatchers()
	}
	s.mu.Unlock()
	s.notify(watchers)
}
