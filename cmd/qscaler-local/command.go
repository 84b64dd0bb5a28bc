package main

import (
	"github.com/spf13/cobra"

	"github.com/quickube/qscaler/internal/version"
)

func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "qscaler-local",
		Short:         "Runs QScaler on this machine, without a cluster",
		Long:          "qscaler-local starts a real Kubernetes API server on this machine, and runs pods as its processes.",
		Version:       version.String(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(newDemo(), newUp(), newSetup(), newOperator())
	return cmd
}
