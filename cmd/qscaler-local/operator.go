package main

import (
	"github.com/spf13/cobra"

	"github.com/quickube/qscaler/local/stack"
)

// newOperator makes the hidden command that this program starts as a process of its own.
func newOperator() *cobra.Command {
	return &cobra.Command{
		Use:    stack.OperatorCommand + " KUBECONFIG METRICS-ADDRESS [LEASE-NAMESPACE]",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return stack.RunOperator(cmd.Context(), args)
		},
	}
}
