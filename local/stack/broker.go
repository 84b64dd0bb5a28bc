package stack

import (
	"context"

	"github.com/quickube/qscaler/local/brokers"
)

func (s *Stack) startBroker(ctx context.Context) error {
	if s.options.Broker.Start == nil {
		return nil
	}
	server, err := s.options.Broker.Start(ctx, brokers.Options{
		Dir: s.subdir(brokerDir), Password: s.options.BrokerPassword, Progress: s.options.Progress,
	})
	if err != nil {
		return err
	}
	s.broker = server
	return nil
}
