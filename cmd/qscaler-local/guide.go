package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/stack"
	"github.com/quickube/qscaler/worker/contract"
)

// exampleConfig is the ScalerConfig that the manifests of examples/ refer to; exampleWorker is the QWorker of
// examples/worker-sdk.
const (
	exampleConfig = "example-scaler-config"
	exampleWorker = "example-worker-sdk"
)

// applyScalerConfig creates the ScalerConfig of the local Redis, so that only a QWorker is missing.
func applyScalerConfig(ctx context.Context, local *stack.Stack) error {
	c, err := client.New(local.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return err
	}
	return c.Create(ctx, &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: exampleConfig},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(local.Redis().Port())),
		}},
	})
}

// guide says how to reach what runs, and what to try next.
type guide struct {
	kubeconfig, broker, metrics string
	operatorLog, workersLog     string
	redisPort                   int
	// kubectl is what to type for it; missingKubectl says how to get it, where it is not on this machine.
	kubectl, missingKubectl string
	// redisCLI is false where redis-cli is not in the PATH.
	redisCLI bool
	// manifest is that of a worker that runs here; "" where the examples are not there.
	manifest string
}

func newGuide(local *stack.Stack, withExamples bool) guide {
	g := guide{
		kubeconfig: local.Kubeconfig(), broker: local.Redis().String(), metrics: local.Operator().Metrics(),
		operatorLog: local.Operator().Log(), workersLog: local.LogPath(metav1.NamespaceDefault, "POD", "CONTAINER"),
		redisPort: local.Redis().Port(), kubectl: "kubectl",
	}
	if path, err := controlplane.FindKubectl(); err != nil {
		g.missingKubectl = err.Error()
	} else if _, err := exec.LookPath("kubectl"); err != nil {
		g.kubectl = path
	}
	_, err := exec.LookPath("redis-cli")
	g.redisCLI = err == nil
	if root, err := exampleworkers.Root(); err == nil && withExamples {
		g.manifest = filepath.Join(root, "examples", "worker-sdk", "qworker.yaml")
		if dir, err := os.Getwd(); err == nil && dir == root {
			g.manifest = filepath.Join("examples", "worker-sdk", "qworker.yaml")
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
			step{"", g.push(), false})
	}
	steps = append(steps,
		step{"what becomes of it, until Ctrl-C", g.kubectl + " get qw --watch", true},
		step{"", g.kubectl + " get pods --watch", true})
	if g.manifest != "" {
		steps = append(steps,
			step{"what the workers write", g.kubectl + " logs --prefix -l " + contract.LabelQWorker + "=" + exampleWorker, false},
			step{"why there are as many as there are", g.kubectl + " describe qw " + exampleWorker, false})
	}
	if g.metrics != "" {
		steps = append(steps, step{"the operator's metrics", "curl -s " + g.metrics, false})
	}
	if g.manifest != "" {
		steps = append(steps, step{"the end: workers finish their tasks first", g.kubectl + " delete -f " + quote(g.manifest), false})
	}
	return steps
}

// push is a command that pushes tasks. Without redis-cli, bash speaks to Redis.
func (g guide) push() string {
	const task = `{"id":"t-'$i'","ms":5000}`
	port := strconv.Itoa(g.redisPort)
	if g.redisCLI {
		return `for i in 1 2 3 4 5 6; do redis-cli -p ` + port + ` LPUSH task-queue '` + task + `'; done`
	}
	return `bash -c 'for i in 1 2 3 4 5 6; do printf "*3\r\n\$5\r\nLPUSH\r\n\$10\r\ntask-queue\r\n\$22\r\n{\"id\":\"t-$i\",\"ms\":5000}\r\n" >/dev/tcp/127.0.0.1/` + port + `; done'`
}

func (g guide) print(out io.Writer) {
	row := func(name, value string) { fmt.Fprintf(out, "  %-16s %s\n", name, value) }
	fmt.Fprintln(out, "\nready:")
	row("kubeconfig", g.kubeconfig)
	row("broker", g.broker)
	row("ScalerConfig", exampleConfig+", in namespace default, reaches it")
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
	if !g.redisCLI {
		fmt.Fprintln(out, "redis-cli is not in the PATH: on Debian and Ubuntu, apt-get install redis-tools")
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
