package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
	"github.com/quickube/qscaler/worker/contract"
)

// applyScalerConfig creates the ScalerConfig of the local broker, so that only a QWorker is missing. It has the name that
// the manifests of examples/ refer to.
func applyScalerConfig(ctx context.Context, local *stack.Stack, broker brokers.Broker) error {
	c, err := client.New(local.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return err
	}
	return c.Create(ctx, &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: broker.ScalerConfig},
		Spec:       broker.Config(local.Broker(), nil),
	})
}

// guide says how to reach what runs, and what to try next.
type guide struct {
	kubeconfig, broker, metrics string
	operatorLog, workersLog     string
	// scalerConfig is the name of the broker's, worker that of the QWorker in the manifest, and push a command that
	// pushes tasks.
	scalerConfig, worker, push string
	// kubectl is what to type for it; missingKubectl says how to get it, where it is not on this machine.
	kubectl, missingKubectl string
	// missingClient says how to get the broker's own client, where it is not on this machine.
	missingClient string
	// manifest is that of a worker that runs here; "" where the examples are not there.
	manifest string
}

func newGuide(local *stack.Stack, broker brokers.Broker, withExamples bool) guide {
	g := guide{
		kubeconfig: local.Kubeconfig(), broker: local.Broker().String(), metrics: local.Operator().Metrics(),
		operatorLog: local.Operator().Log(), workersLog: local.LogPath(metav1.NamespaceDefault, "POD", "CONTAINER"),
		scalerConfig: broker.ScalerConfig, worker: broker.QWorker, push: broker.Push(local.Broker()),
		missingClient: broker.MissingClient(), kubectl: "kubectl",
	}
	if path, err := controlplane.FindKubectl(); err != nil {
		g.missingKubectl = err.Error()
	} else if _, err := exec.LookPath("kubectl"); err != nil {
		g.kubectl = path
	}
	if root, err := exampleworkers.Root(); err == nil && withExamples {
		g.manifest = filepath.Join(root, "examples", broker.Example, "qworker.yaml")
		if dir, err := os.Getwd(); err == nil && dir == root {
			g.manifest = filepath.Join("examples", broker.Example, "qworker.yaml")
		}
	}
	return g
}

// step is a command to try.
type step struct {
	why, command string
	// endless is true for a command that goes on until Ctrl-C.
	endless bool
}

func (g guide) steps() []step {
	steps := []step{{"", "export KUBECONFIG=" + quote(g.kubeconfig), false}}
	if g.manifest != "" {
		steps = append(steps,
			step{"a QWorker, and 6 tasks of 5 s for it", g.kubectl + " apply -f " + quote(g.manifest), false},
			step{"", g.push, false})
	}
	steps = append(steps,
		step{"what becomes of it, until Ctrl-C", g.kubectl + " get qw --watch", true},
		step{"", g.kubectl + " get pods --watch", true})
	if g.manifest != "" {
		steps = append(steps,
			step{"what the workers write", g.kubectl + " logs --prefix -l " + contract.LabelQWorker + "=" + g.worker, false},
			step{"why there are as many as there are", g.kubectl + " describe qw " + g.worker, false})
	}
	if g.metrics != "" {
		steps = append(steps, step{"the operator's metrics", "curl -s " + g.metrics, false})
	}
	if g.manifest != "" {
		steps = append(steps, step{"the end: workers finish their tasks first", g.kubectl + " delete -f " + quote(g.manifest), false})
	}
	return steps
}

func (g guide) print(out io.Writer) {
	row := func(name, value string) { fmt.Fprintf(out, "  %-16s %s\n", name, value) }
	fmt.Fprintln(out, "\nready:")
	row("kubeconfig", g.kubeconfig)
	row("broker", g.broker)
	row("ScalerConfig", g.scalerConfig+", in namespace default, reaches it")
	if g.metrics != "" {
		row("metrics", g.metrics)
	}
	row("operator's log", g.operatorLog)
	row("workers' logs", g.workersLog)
	fmt.Fprintln(out, "\ntry, in another terminal:")
	for _, s := range g.steps() {
		if s.why != "" {
			fmt.Fprintln(out, "  # "+s.why)
		}
		fmt.Fprintln(out, "  "+s.command)
	}
	fmt.Fprintln(out)
	if g.missingKubectl != "" {
		fmt.Fprintln(out, g.missingKubectl)
	}
	if g.missingClient != "" {
		fmt.Fprintln(out, g.missingClient)
	}
	if g.manifest != "" {
		fmt.Fprint(out, "Images of examples/ run here as they are; map your own with --image name=command, whatever its tag.\n")
	} else {
		fmt.Fprint(out, "Map the images of your workers to programs of this machine with --image name=command, whatever the tag.\n")
	}
	fmt.Fprint(out, "docs/local-mode.md says more. Ctrl-C stops everything, and removes it.\n")
}

// quote makes a word for a shell.
func quote(path string) string {
	if strings.ContainsAny(path, " \t'\"$&;()*?<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
