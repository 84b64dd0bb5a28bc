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
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

// Rows of a table become workers, which find the database by what the operator tells them, with the password of the
// ScalerConfig. The worker column tells who is busy, and no job is interrupted.
func TestRowsOfATableBecomeWorkers(t *testing.T) {
	t.Parallel()
	s := tell(t)
	if len(images[exampleworkers.Postgres]) == 0 {
		t.Fatal("the example worker of PostgreSQL is missing: install psycopg (Debian and Ubuntu: apt-get install python3-psycopg)")
	}
	server := postgresservertest.Start(t, postgresserver.Options{})
	admin := postgresservertest.Connect(t, server, postgresserver.Admin)
	s.must(postgresservertest.RunScript(admin, "../../examples/worker-postgres/schema.sql"))
	postgresservertest.Do(t, server, postgresserver.Admin,
		"CREATE USER qscaler PASSWORD 'reads alone'", "GRANT SELECT ON jobs TO qscaler",
		"CREATE USER app PASSWORD 'it''s $(POD_NAME) %'", "GRANT SELECT, UPDATE, DELETE ON jobs TO app")
	config := s.scalerConfig()
	config.Spec.Type = v1alpha1.BrokerPostgres
	config.Spec.Config = v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Username: "qscaler",
		Password: &v1alpha1.PasswordSource{Value: ptr.To("reads alone")},
		Worker: &v1alpha1.WorkerLogin{Username: "app", Password: &v1alpha1.PasswordSource{
			Secret: &v1alpha1.SecretKeyReference{Name: secretName, Key: "password"},
		}},
		Postgres: &v1alpha1.PostgresConfig{
			Database: postgresserver.Admin, Channel: "jobs",
			Table: &v1alpha1.SQLTable{
				Name: "jobs", QueueColumn: "queue", StateColumn: "state", WaitingStates: []string{"queued"}, RunningStates: []string{"running"},
				RunAtColumn: "run_at", WorkerColumn: "worker", CreatedAtColumn: "created_at",
			},
		},
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, StringData: map[string]string{"password": "it's $(POD_NAME) %"}}
	f := makeFleet("rows").replicas(0, 4).image(exampleworkers.Postgres)
	s.create(secret, config, f)
	for i, length := range []time.Duration{15 * time.Second, 3 * time.Second, 3 * time.Second, 3 * time.Second} {
		id := fmt.Sprintf("t-%d", i+1)
		s.books.Pushed(id, time.Now())
		_, err := admin.Exec(context.Background(), "INSERT INTO jobs (queue, payload) VALUES ($1, $2)", queue, payload(id, length))
		s.must(err)
	}
	s.awaitBusy("rows", 4)
	s.awaitTube("rows", 1)
	s.awaitDone()
	s.awaitTube("rows", 0)
	s.awaitWorkers("rows", 0)
	if b := s.sound(); len(b.Again) > 0 {
		t.Errorf("nobody was killed, and jobs were done twice: %s", b)
	}
}
