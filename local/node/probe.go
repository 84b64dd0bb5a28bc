package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/quickube/qscaler/local/process"
)

// startProbes begins to probe a run, until it ends. Without probes, what runs has started and is ready.
func (r *runner) startProbes(c *container, p *process.Process) {
	if c.spec.StartupProbe == nil {
		r.hasStarted(c)
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	c.cancel = cancel
	r.probe(ctx, c, c.spec.StartupProbe, func(ok bool) {
		switch {
		case c.process != p:
		case ok && !c.started:
			cancel()
			r.hasStarted(c)
		case !ok:
			r.fail(c)
		}
	})
}

func (r *runner) hasStarted(c *container) {
	c.started = true
	c.ready = c.spec.ReadinessProbe == nil
	p := c.process
	ctx, cancel := context.WithCancel(r.ctx)
	c.cancel = cancel
	if c.spec.ReadinessProbe != nil {
		r.probe(ctx, c, c.spec.ReadinessProbe, func(ok bool) {
			if c.process == p {
				c.ready = ok
			}
		})
	}
	if c.spec.LivenessProbe != nil {
		r.probe(ctx, c, c.spec.LivenessProbe, func(ok bool) {
			if c.process == p && !ok {
				r.fail(c)
			}
		})
	}
}

// fail ends a container that a probe has given up; its restart policy says what comes then.
func (r *runner) fail(c *container) {
	if c.stopping {
		return
	}
	grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if own := r.pod.Spec.TerminationGracePeriodSeconds; own != nil {
		grace = *own
	}
	p, deadline := c.process, time.Now().Add(time.Duration(grace)*time.Second)
	r.stop(c, deadline)
	go func() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case <-p.Done():
		case <-timer.C:
			_ = p.Stop(0)
		}
	}()
}

// probe runs a probe until the context ends, and posts each change of its result.
func (r *runner) probe(ctx context.Context, c *container, probe *corev1.Probe, changed func(ok bool)) {
	check := r.handler(c, lifecycleOf(probe))
	timeout := seconds(probe.TimeoutSeconds, 1)
	go func() {
		wait := time.NewTimer(seconds(probe.InitialDelaySeconds, 0))
		defer wait.Stop()
		successes, failures, told, reported := int32(0), int32(0), false, false
		for {
			select {
			case <-wait.C:
			case <-ctx.Done():
				return
			}
			once, cancel := context.WithTimeout(ctx, timeout)
			err := check(once)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				successes, failures = successes+1, 0
			} else {
				successes, failures = 0, failures+1
			}
			good := successes >= cmp.Or(probe.SuccessThreshold, 1)
			bad := failures >= cmp.Or(probe.FailureThreshold, 3)
			if (good || bad) && (!told || reported != good) {
				told, reported = true, good
				r.post(func() { changed(good) })
			}
			wait.Reset(seconds(probe.PeriodSeconds, 10))
		}
	}()
}

func seconds(n, otherwise int32) time.Duration {
	return time.Duration(cmp.Or(n, otherwise)) * time.Second
}

// lifecycleOf is the probe's handler in the form that hooks have; the two have the same fields.
func lifecycleOf(p *corev1.Probe) corev1.LifecycleHandler {
	return corev1.LifecycleHandler{Exec: p.Exec, HTTPGet: p.HTTPGet, TCPSocket: p.TCPSocket}
}

// handler makes the function that runs a hook or a probe once, for the container's present run.
func (r *runner) handler(c *container, h corev1.LifecycleHandler) func(context.Context) error {
	ip, ports := r.ip, c.spec.Ports
	switch {
	case h.Exec != nil:
		r.commands++
		command := process.Command{
			Name: fmt.Sprintf("%s.%s.exec-%d", r.pod.UID, c.spec.Name, r.commands),
			Env:  c.env, Dir: c.dir,
		}
		for _, arg := range h.Exec.Command {
			command.Argv = append(command.Argv, c.mounts.rewrite(arg))
		}
		return func(ctx context.Context) error { return r.execute(ctx, command) }
	case h.HTTPGet != nil:
		return func(ctx context.Context) error { return httpGet(ctx, h.HTTPGet, ip, ports) }
	case h.TCPSocket != nil:
		return func(ctx context.Context) error { return dial(ctx, h.TCPSocket, ip, ports) }
	case h.Sleep != nil:
		return func(ctx context.Context) error {
			timer := time.NewTimer(time.Duration(h.Sleep.Seconds) * time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			return nil
		}
	}
	return func(context.Context) error {
		return errors.New("local mode runs exec, httpGet, tcpSocket and sleep, and no other handler")
	}
}

func (r *runner) execute(ctx context.Context, command process.Command) error {
	p, err := r.node.launcher.Start(command)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		_ = p.Stop(0)
		return ctx.Err()
	}
	if code := p.Exit().Code; code != 0 {
		return fmt.Errorf("%s ended with code %d", command.Argv[0], code)
	}
	return nil
}

func httpGet(ctx context.Context, a *corev1.HTTPGetAction, ip string, ports []corev1.ContainerPort) error {
	port, err := portNumber(a.Port, ports)
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(a.Path, "?")
	target := url.URL{
		Scheme: strings.ToLower(cmp.Or(string(a.Scheme), "http")), Host: net.JoinHostPort(cmp.Or(a.Host, ip), port),
		Path: path, RawQuery: query,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	for _, header := range a.HTTPHeaders {
		request.Header.Add(header.Name, header.Value)
	}
	response, err := probeClient().Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("GET %s: %s", request.URL, response.Status)
	}
	return nil
}

func dial(ctx context.Context, a *corev1.TCPSocketAction, ip string, ports []corev1.ContainerPort) error {
	port, err := portNumber(a.Port, ports)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(cmp.Or(a.Host, ip), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

func portNumber(port intstr.IntOrString, ports []corev1.ContainerPort) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, p := range ports {
		if p.Name == port.StrVal {
			return strconv.Itoa(int(p.ContainerPort)), nil
		}
	}
	if _, err := strconv.Atoi(port.StrVal); err == nil {
		return port.StrVal, nil
	}
	return "", fmt.Errorf("the container has no port %q", port.StrVal)
}
