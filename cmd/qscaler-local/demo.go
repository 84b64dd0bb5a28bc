package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/demo"
	"github.com/quickube/qscaler/local/stack"
)

// newDemo makes the command that shows QScaler at work.
func newDemo() *cobra.Command {
	var dir, name string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a burst become workers, and the workers leave again, in about a minute",
		Long: "demo starts an API server, a broker, the operator and a node on this machine, plays a story with them, and\n" +
			"counts what became of every task. It fails when one was lost, or interrupted by scaling. Everything that\n" +
			"it starts is stopped, and everything that it writes is removed.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if dir == "" {
				if dir, err = stack.DefaultDir("demo"); err != nil {
					return err
				}
			}
			broker, err := brokers.Named(name)
			if err != nil {
				return err
			}
			return demo.Run(cmd.Context(), demo.Options{Dir: dir, Out: os.Stdout, Broker: broker})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory of the state, which is removed; empty: qscaler/local/demo in the user's cache directory")
	brokerFlag(cmd, &name)
	return cmd
}

// brokerFlag adds the flag that names a broker of local mode.
func brokerFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "broker", brokers.Default().Name, "the broker to start: "+brokers.Names())
}
