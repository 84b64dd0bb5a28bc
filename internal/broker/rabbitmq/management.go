package rabbitmq

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// requestTimeout is how long an answer of the management API may take as a whole.
	requestTimeout = 5 * time.Second
	// longestHeader and longestRefusal are how many bytes of each are read.
	longestHeader  = 16 << 10
	longestRefusal = 4 << 10
)

// management asks the management API, over one connection that is kept open.
type management struct {
	config Config
	client *http.Client

	mu     sync.Mutex
	conn   net.Conn // the newest
	closed bool
}

func newManagement(c Config) *management {
	m := &management{config: c}
	m.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            m.dial,
			TLSClientConfig:        c.TLS.Clone(),
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: longestHeader,
			MaxConnsPerHost:        1,
			DisableCompression:     true, // an answer is to be as long as it looks
		},
		// The password goes where the user says, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return m
}

// dial connects. The library may do so, and keep the connection, when nobody waits for it any more.
func (m *management) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	if m.conn != nil {
		_ = m.conn.Close() // there is one at a time
	}
	m.conn = conn
	return conn, nil
}

// close ends the connection.
func (m *management) close() {
	m.mu.Lock()
	m.closed = true
	if m.conn != nil {
		_ = m.conn.Close()
	}
	m.mu.Unlock()
	m.client.CloseIdleConnections()
}

// get asks for a path, and has the answer read.
func (m *management) get(ctx context.Context, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := m.exchange(ctx, path, read); err != nil {
		return m.config.managementFailed(ctx, err)
	}
	return nil
}

func (m *management) exchange(ctx context.Context, path string, read func(io.Reader) error) error {
	scheme := "http"
	if m.config.TLS != nil {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+m.config.Management+path, nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth(m.config.Username, m.config.Password.Reveal())
	response, err := m.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, longestRefusal))
		return status{response.StatusCode, string(text)}
	}
	return read(response.Body)
}

// withoutURL is the failure without the address that was asked, which the message has already.
func withoutURL(err error) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		return asked.Err
	}
	return err
}

// escaped is a name as a part of a path.
func escaped(name string) string { return url.PathEscape(name) }

// seesAll reports whether a user with these tags is shown the channels of others.
func seesAll(tags []string) bool {
	for _, tag := range tags {
		if tag == "monitoring" || tag == "administrator" {
			return true
		}
	}
	return false
}

// whoami asks for the tags of the user.
func (m *management) whoami(ctx context.Context) (tags []string, err error) {
	err = m.get(ctx, "/api/whoami", func(in io.Reader) error {
		var user struct {
			Tags any `json:"tags"`
		}
		if err := decodeOne(in, &user); err != nil {
			return err
		}
		switch t := user.Tags.(type) {
		case string: // before 3.9
			tags = strings.Split(t, ",")
		case []any:
			for _, tag := range t {
				if text, ok := tag.(string); ok {
					tags = append(tags, text)
				}
			}
		}
		return nil
	})
	return tags, err
}
