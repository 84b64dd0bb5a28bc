package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quickube/qscaler/local/controlplane"
)

// newSetup makes the command that brings etcd, kube-apiserver and kubectl to this machine.
func newSetup() *cobra.Command {
	var printPath, printEnv, build, kubectl bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Find etcd and kube-apiserver, or download or build them",
		Long: "setup looks for etcd and kube-apiserver in $KUBEBUILDER_ASSETS, the PATH, setup-envtest's store and its own\n" +
			"cache. When they are in none of these, it downloads them, or builds them from source where that fails\n" +
			"(about 6 minutes on 2 cores, once). With --kubectl it does the same for kubectl, unless that is in the PATH.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			started := time.Now()
			progress := func(format string, args ...any) {
				elapsed := time.Since(started).Round(time.Second)
				fmt.Fprintf(cmd.ErrOrStderr(), "[%s] %s\n", elapsed, fmt.Sprintf(format, args...))
			}
			if kubectl {
				path, err := controlplane.Kubectl(cmd.Context(), progress)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), path)
				return nil
			}
			get := controlplane.Binaries
			if build {
				get = controlplane.Build
			}
			paths, err := get(cmd.Context(), progress)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case printPath:
				fmt.Fprintln(out, paths.Dir())
			case printEnv:
				fmt.Fprintf(out, "export %s=%q\n", controlplane.AssetsVariable, paths.Dir())
			default:
				fmt.Fprintf(out, "etcd: %s\nkube-apiserver: %s\n", paths.Etcd, paths.APIServer)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&printPath, "print-path", false, "print the directory of the programs, and nothing else")
	cmd.Flags().BoolVar(&printEnv, "print-env", false, "print the directory as a line for a shell to evaluate")
	cmd.Flags().BoolVar(&build, "build", false, "build them from source, even if they are elsewhere on this machine or can be downloaded")
	cmd.Flags().BoolVar(&kubectl, "kubectl", false, "find kubectl, or build it, and print its path")
	cmd.MarkFlagsMutuallyExclusive("print-path", "print-env", "kubectl")
	cmd.MarkFlagsMutuallyExclusive("build", "kubectl")
	return cmd
}
