package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

// Rows of a table in MariaDB become workers, which find the database by what the operator tells them, with the password of the
// ScalerConfig. A worker is killed in the middle of its job, which another does, and all jobs are counted.
func TestRowsOfMySQLBecomeWorkers(t *testing.T) {
	t.Parallel()
	s := tell(t)
	if len(images[exampleworkers.MySQL]) == 0 {
		t.Fatal("the example worker of MySQL is missing: install pymysql (Debian and Ubuntu: apt-get install python3-pymysql)")
	}
	server := mysqlservertest.Start(t, mysqlserver.Options{})
	mysqlservertest.Do(t, server, "", "CREATE DATABASE app")
	admin := mysqlservertest.Open(t, server, "app")
	s.must(mysqlservertest.RunScript(admin, "../../examples/worker-mysql/schema.sql"))
	mysqlservertest.Do(t, server, "app",
		"CREATE USER qscaler IDENTIFIED BY 'reads alone'", "GRANT SELECT ON jobs TO qscaler",
		"CREATE USER app IDENTIFIED BY 'it''s $(POD_NAME) %'", "GRANT SELECT, UPDATE, DELETE ON jobs TO app")
	config := s.scalerConfig()
	config.Spec.Type = v1alpha1.BrokerMySQL
	config.Spec.Config = v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Username: "qscaler",
		Password: &v1alpha1.PasswordSource{Value: ptr.To("reads alone")},
		Worker: &v1alpha1.WorkerLogin{Username: "app", Password: &v1alpha1.PasswordSource{
			Secret: &v1alpha1.SecretKeyReference{Name: secretName, Key: "password"},
		}},
		MySQL: &v1alpha1.MySQLConfig{
			Database: "app",
			Table: &v1alpha1.SQLTable{
				Name: "jobs", QueueColumn: "queue", StateColumn: "state", WaitingStates: []string{"queued"}, RunningStates: []string{"running"},
				RunAtColumn: "run_at", WorkerColumn: "worker", CreatedAtColumn: "created_at",
			},
		},
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, StringData: map[string]string{"password": "it's $(POD_NAME) %"}}
	f := makeFleet("mysql-rows").replicas(0, 4).image(exampleworkers.MySQL)
	s.create(secret, config, f)
	for i, length := range []time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second} {
		id := fmt.Sprintf("t-%d", i+1)
		s.books.Pushed(id, time.Now())
		_, err := admin.ExecContext(context.Background(), "INSERT INTO jobs (queue, payload) VALUES (?, ?)", queue, payload(id, length))
		s.must(err)
	}
	s.awaitBusy("mysql-rows", 4)
	if complaint := s.kill(s.busy("mysql-rows")[0]); complaint != "" {
		t.Fatal(complaint)
	}
	s.awaitDone()
	s.awaitTube("mysql-rows", 0)
	s.awaitWorkers("mysql-rows", 0)
	s.sound()
}
