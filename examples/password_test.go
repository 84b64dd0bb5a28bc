package examples

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
	"github.com/quickube/qscaler/local/rabbitmqserver/rabbitmqservertest"
)

// refusedLimit bounds the wait for a worker to end that its broker refuses for a minute.
const refusedLimit = 5 * time.Minute

// refusedEnd: a process keeps the password that it was started with. While Redis refuses that for a minute it ends, and
// the next process of the pod has the present one. All wait for the same minute.
func refusedEnd(t *testing.T, workers map[string][]string) {
	type play struct {
		name  string
		stage *stage
		pod   *pod
	}
	var plays []play
	for worker, command := range workers {
		for name, begin := range map[string]func(*testing.T, *stage) *pod{
			"the password becomes another":              rotated,
			"a password is set and the worker has none": lockedOut,
		} {
			s := &stage{command: command, queue: "tasks", journal: &journal{t: t}}
			plays = append(plays, play{worker + "/" + name, s, begin(t, s)})
		}
	}
	for _, p := range plays {
		p.pod.waitForRefusal(t, p.name)
		p.stage.password = "new"
		p.pod.start(t)
		p.stage.waitFor(t, "done t-2")
		p.stage.waitForEmpty(t)
		p.pod.grant(t)
		p.pod.waitForExit(t)
	}
}

// rotated: somebody sets another password, and the worker's connection ends.
func rotated(t *testing.T, s *stage) *pod {
	s.username, s.password = "worker", "old"
	s.startRedis(t)
	p := s.startPod(t)
	s.push(t, `{"id":"t-1","ms":0}`)
	s.waitFor(t, "done t-1")
	s.waitForIdle(t)
	s.do(t, "ACL", "SETUSER", "admin", "on", ">admin", "~*", "+@all")
	s.connect(t, rueidis.ClientOption{Username: "admin", Password: "admin"})
	s.do(t, "ACL", "DELUSER", "worker") // which ends its connections
	s.do(t, "ACL", "SETUSER", "worker", "on", ">new", "~*", "+@all")
	s.push(t, `{"id":"t-2","ms":0}`)
	return p
}

// lockedOut: Redis asks for a password for the first time, and the worker has none.
func lockedOut(t *testing.T, s *stage) *pod {
	s.startRedis(t)
	s.push(t, `{"id":"t-2","ms":0}`)
	s.do(t, "CONFIG", "SET", "requirepass", "new")
	return s.startPod(t)
}

// waitForRefusal waits until the worker has ended because its broker refuses its password. The last line says so.
func (p *pod) waitForRefusal(t *testing.T, name string) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(refusedLimit):
		t.Fatalf("%s: the worker has not ended within %v", name, refusedLimit)
	}
	if code := p.cmd.ProcessState.ExitCode(); code <= 0 {
		t.Errorf("%s: exit code %d, want another than 0", name, code)
	}
	lines := strings.Split(strings.TrimSpace(p.stderr.text()), "\n")
	last := lines[len(lines)-1]
	if !strings.Contains(last, "has refused the password for") || !strings.Contains(last, "a restart may have another") {
		t.Errorf("%s: the last line is %q, want that the broker has refused the password", name, last)
	}
}

// TestRefusedWorkersEnd: so do the workers of the other brokers that have passwords.
func TestRefusedWorkersEnd(t *testing.T) {
	for broker, prepare := range map[string]func(*testing.T) *stage{
		"RabbitMQ":   oneMessage,
		"PostgreSQL": oneRow,
		"MySQL":      oneRowOfMySQL,
		"NATS":       oneInAStream,
	} {
		t.Run(broker, func(t *testing.T) {
			t.Parallel()
			s := prepare(t)
			right := s.more
			s.more = append(right[:len(right):len(right)], "QSCALER_BROKER_PASSWORD=old", "PGPASSWORD=old", "MYSQL_PASSWORD=old")
			p := s.startPod(t)
			p.waitForRefusal(t, broker)
			s.more = right
			p.start(t)
			s.waitFor(t, "done t-1")
			p.grant(t)
			p.waitForExit(t)
		})
	}
}

func oneMessage(t *testing.T) *stage {
	python, err := exampleworkers.PythonWith(t.Context(), "pika")
	must(t, err)
	v := rabbitmqservertest.Start(t)
	send(t, v, "classic", 1, 0)
	return &stage{
		command: []string{python, "worker-rabbitmq/worker.py"}, queue: "tasks", address: v.Addr(), username: v.User, password: v.Password,
		more:    []string{"QSCALER_BROKER_URL=amqp://" + v.Addr() + "/" + url.PathEscape(v.Name)},
		journal: &journal{t: t},
	}
}

func oneRow(t *testing.T) *stage {
	python, err := exampleworkers.PythonWith(t.Context(), "psycopg")
	must(t, err)
	table := jobTable{postgresservertest.Start(t, postgresserver.Options{}), "refused"}
	postgresservertest.Do(t, table.Server, postgresserver.Admin, "CREATE DATABASE "+table.database)
	table.create(t)
	postgresservertest.Do(t, table.Server, table.database, "CREATE ROLE worker LOGIN PASSWORD 'new'", "GRANT ALL ON ALL TABLES IN SCHEMA public TO worker")
	table.push(t, 1, 0)
	s := table.stage(t, python)
	s.more = append(s.more, fmt.Sprintf("QSCALER_BROKER_URL=postgresql://worker@%s/%s?sslmode=disable", s.address, table.database), "PGPASSWORD=new")
	return s
}

func oneRowOfMySQL(t *testing.T) *stage {
	python, err := exampleworkers.PythonWith(t.Context(), "pymysql")
	must(t, err)
	table := mysqlTable{mysqlservertest.Start(t, mysqlserver.Options{}), "refused"}
	mysqlservertest.Do(t, table.Server, "", "CREATE DATABASE "+table.database)
	table.create(t)
	mysqlservertest.Do(t, table.Server, table.database, "CREATE USER worker IDENTIFIED BY 'new'", "GRANT ALL ON jobs TO worker")
	table.push(t, 1, 0)
	s := table.stage(t, python)
	s.more = append(s.more, "MYSQL_USER=worker", "MYSQL_PASSWORD=new")
	return s
}

func oneInAStream(t *testing.T) *stage {
	binaries := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", binaries, "./worker-nats").CombinedOutput(); err != nil {
		t.Fatalf("building the worker, %v\n%s", err, out)
	}
	server := newNATSStream(t)
	server.publish(t, 1, 0)
	return &stage{
		command: []string{filepath.Join(binaries, "worker-nats")}, queue: "tasks", address: server.Addr(), password: "hush",
		more: []string{"QSCALER_BROKER_URL=nats://" + server.Addr(), "QSCALER_CONSUMER_GROUP=workers"}, journal: &journal{t: t},
	}
}
