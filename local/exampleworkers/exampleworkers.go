// Package exampleworkers makes the workers of examples/ runnable on this machine, for the demo,
// `qscaler-local up` and the end-to-end tests: it builds those in Go, and finds what the others need.
//
// It works from QScaler's source tree, which the examples are a part of.
package exampleworkers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/quickube/qscaler/local/controlplane"
)

// The images that the manifests of examples/ and config/samples name.
const (
	SDK    = "example-worker-sdk:latest"
	Go     = "example-worker-go:latest"
	Python = "example-worker-python:latest"
	Shell  = "example-worker-shell:latest"
	// Beanstalkd is the worker of a tube, in Python.
	Beanstalkd = "example-worker-beanstalkd:latest"
	// RabbitMQ is the worker of a queue of RabbitMQ, in Python with pika.
	RabbitMQ = "example-worker-rabbitmq:latest"
	// NATS is the worker of a consumer of JetStream, in Go.
	NATS = "example-worker-nats:latest"
	// PythonStream is the worker of a Redis stream, in Python.
	PythonStream = "example-worker-python-stream:latest"
	// Postgres is the worker of a table in PostgreSQL, in Python. It needs psycopg.
	Postgres = "example-worker-postgres:latest"
	// MySQL is the worker of a table in MySQL or MariaDB, in Python. It needs pymysql.
	MySQL = "example-worker-mysql:latest"
	// Leaking is the worker in Python, with a leak.
	Leaking = "example-worker-leaking:latest"
	// Sample is the image of config/samples; here it is the worker with the SDK.
	Sample = "example-worker:latest"
)

const module = "module github.com/quickube/qscaler"

var errNoSource = errors.New("the example workers are a part of QScaler's source tree, and this is not run from there")

// Build builds the workers in Go into dir, and returns what stands for each image on this machine. Python,
// PythonStream, Leaking, Beanstalkd, RabbitMQ, Postgres, MySQL and Shell are absent where python3, pika, psycopg, pymysql or redis-cli is missing.
func Build(ctx context.Context, dir string) (map[string][]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", controlplane.CompilerFlags, "-o", dir+string(filepath.Separator), "./examples/worker-go", "./examples/worker-nats", "./examples/worker-sdk")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the example workers, %w\n%s", err, out)
	}
	sdk := []string{filepath.Join(dir, "worker-sdk")}
	images := map[string][]string{Go: {filepath.Join(dir, "worker-go")}, NATS: {filepath.Join(dir, "worker-nats")}, SDK: sdk, Sample: sdk}
	if _, err := exec.LookPath("python3"); err == nil {
		images[Python] = []string{"python3", filepath.Join(root, "examples", "worker-python", "worker.py")}
		images[PythonStream] = []string{"python3", filepath.Join(root, "examples", "worker-python-stream", "worker.py")}
		images[Leaking] = []string{"python3", filepath.Join(root, "examples", "worker-leaking", "worker.py")}
		images[Beanstalkd] = []string{"python3", filepath.Join(root, "examples", "worker-beanstalkd", "worker.py")}
	}
	if python, err := PythonWith(ctx, "psycopg"); err == nil {
		images[Postgres] = []string{python, filepath.Join(root, "examples", "worker-postgres", "worker.py")}
	}
	if python, err := PythonWith(ctx, "pymysql"); err == nil {
		images[MySQL] = []string{python, filepath.Join(root, "examples", "worker-mysql", "worker.py")}
	}
	if python, err := PythonWith(ctx, "pika"); err == nil {
		images[RabbitMQ] = []string{python, filepath.Join(root, "local", "exampleworkers", "frompod.py"), filepath.Join(root, "examples", "worker-rabbitmq", "worker.py")}
	}
	if _, err := exec.LookPath("redis-cli"); err == nil {
		images[Shell] = []string{"sh", filepath.Join(root, "examples", "worker-shell", "worker.sh")}
	}
	return images, nil
}

// PythonWith is a Python that has a module: the one in the PATH, else Debian's, for which apt-get installs modules.
func PythonWith(ctx context.Context, name string) (program string, err error) {
	for _, program := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, program, "-c", "import "+name).Run() == nil {
			return program, nil
		}
	}
	return "", fmt.Errorf("no python3 has the module %s; install it (Debian and Ubuntu: apt-get install python3-%s)", name, name)
}

// MissingPython says that there is no python3; nil where there is.
func MissingPython(context.Context) error {
	if _, err := exec.LookPath("python3"); err != nil {
		return errors.New("python3 is not in the PATH: on Debian and Ubuntu, apt-get install python3")
	}
	return nil
}

// Root is the directory of QScaler's source tree. It looks upwards from the working directory, then from our own program: bin/ is in the tree.
func Root() (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if first, _, _ := bytes.Cut(data, []byte("\n")); err == nil && string(first) == module {
				return dir, nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errNoSource
}
