package rabbitmqservertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/quickube/qscaler/local/rabbitmqserver"
)

// VHost is a virtual host of the shared server, with a user who may do everything in it. It ends with the test. Its
// methods fail the test themselves.
type VHost struct {
	*rabbitmqserver.Server
	Name, User, Password string
	t                    testing.TB
}

// Start makes a virtual host.
func Start(t testing.TB) *VHost {
	t.Helper()
	n := number()
	// A name that no path of a URL takes as it is.
	v := &VHost{Server: Server(t), Name: fmt.Sprintf("orders/%d %%2F", n), User: fmt.Sprint("user-", n), Password: "p@ss/w%rd", t: t}
	v.Manage(http.MethodPut, "/api/vhosts/"+url.PathEscape(v.Name), nil)
	v.SetPassword(v.Password)
	v.Manage(http.MethodPut, "/api/permissions/"+url.PathEscape(v.Name)+"/"+v.User, map[string]string{"configure": ".*", "write": ".*", "read": ".*"})
	t.Cleanup(func() {
		v.Manage(http.MethodDelete, "/api/vhosts/"+url.PathEscape(v.Name), nil)
		v.Manage(http.MethodDelete, "/api/users/"+v.User, nil)
	})
	return v
}

// SetPassword changes the user's password.
func (v *VHost) SetPassword(password string) {
	v.Password = password
	v.SetUser(v.User, password, "monitoring")
}

// SetUser makes a user with a password and tags, or changes it.
func (v *VHost) SetUser(name, password, tags string) {
	v.Manage(http.MethodPut, "/api/users/"+name, map[string]string{"password": password, "tags": tags})
}

// Manage asks the management API as the server's first user, who may do everything.
func (v *VHost) Manage(method, path string, body any) []byte {
	v.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		v.t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", v.ManagementPort(), path), bytes.NewReader(text))
	if err != nil {
		v.t.Errorf("%s %s: %v", method, path, err)
		return nil
	}
	request.SetBasicAuth(rabbitmqserver.User, rabbitmqserver.Password)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		v.t.Errorf("%s %s: %v", method, path, err)
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusBadRequest {
		v.t.Errorf("%s %s: %s, %s, %v", method, path, response.Status, answer, err)
	}
	return answer
}

// Dial connects as the user, from an address of the loopback interface.
func (v *VHost) Dial(from string) *amqp.Connection {
	v.t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Minute}
	conn, err := amqp.DialConfig("amqp://"+v.Addr(), amqp.Config{
		Vhost: v.Name, SASL: []amqp.Authentication{&amqp.PlainAuth{Username: v.User, Password: v.Password}}, Dial: dialer.Dial,
	})
	if err != nil {
		v.t.Fatalf("connecting to rabbitmq from %s: %v", from, err)
	}
	return conn
}

// Channel is a channel of a connection of its own, which ends with the test.
func (v *VHost) Channel() *amqp.Channel {
	v.t.Helper()
	conn := v.Dial("127.0.0.1")
	v.t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		v.t.Fatalf("opening a channel: %v", err)
	}
	return ch
}

// Declare makes a durable queue of a type, "classic" or "quorum", where it is not there yet.
func Declare(t testing.TB, ch *amqp.Channel, queue, kind string) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
		t.Errorf("declaring %s: %v", queue, err)
	}
}

// Publish sends a message that outlives the server, and waits until the server has it. The channel must confirm.
func Publish(t testing.TB, ch *amqp.Channel, queue, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	confirmed, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
	if err != nil {
		t.Errorf("sending to %s: %v", queue, err)
		return
	}
	if acknowledged, err := confirmed.WaitContext(ctx); err != nil || !acknowledged {
		t.Errorf("sending to %s: the server has not confirmed it, %v", queue, err)
	}
}

// Counts are the messages of a queue, by the management API, which are late.
type Counts struct {
	Ready   int64 `json:"messages_ready"`
	Unacked int64 `json:"messages_unacknowledged"`
}

// Counts has the messages of each queue.
func (v *VHost) Counts() map[string]Counts {
	v.t.Helper()
	var all []struct {
		Name string `json:"name"`
		Counts
	}
	path := "/api/queues/" + url.PathEscape(v.Name) + "?disable_stats=true&enable_queue_totals=true"
	if err := json.Unmarshal(v.Manage(http.MethodGet, path, nil), &all); err != nil {
		v.t.Errorf("counting the messages of the queues: %v", err)
	}
	counts := map[string]Counts{}
	for _, q := range all {
		counts[q.Name] = q.Counts
	}
	return counts
}
