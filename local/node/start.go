package node

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/local/process"
)

// configRetry is the pause before a container is tried again whose configuration is missing.
const configRetry = time.Second

// start prepares a container's command, which may need the API server, and then starts it.
func (r *runner) start(c *container) {
	c.starting = true
	pod, volumes := r.pod, r.volumes
	ip := r.ip
	go func() {
		ctx, cancel := context.WithTimeout(r.ctx, callTimeout)
		defer cancel()
		command, m, err := r.node.command(ctx, pod, &c.spec, ip, volumes)
		r.post(func() { r.launch(c, command, m, err) })
	}()
}

// launch starts a prepared container, unless the pod is to end by now.
func (r *runner) launch(c *container, command process.Command, m mounts, err error) {
	c.starting = false
	r.mu.Lock()
	over := r.gone || r.latest.DeletionTimestamp != nil
	r.mu.Unlock()
	if over || r.stopping {
		return
	}
	now := time.Now()
	var image imageError
	switch {
	case errors.As(err, &image):
		c.waiting = image.next(c.waiting)
		c.retryAt = now.Add(configRetry)
		return
	case err != nil:
		c.waiting = &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: err.Error()}
		c.retryAt = now.Add(configRetry)
		return
	}
	r.node.logs.begins(command.Log)
	p, err := r.node.launcher.Start(command)
	if err != nil {
		r.node.logs.ended(command.Log)
		c.failedToStart(err, now)
		return
	}
	c.began(p)
	c.env, c.dir, c.mounts = command.Env, command.Dir, m
	r.startProbes(c, p)
	r.node.meter.add(p.PID(), r, c)
	go func() {
		<-p.Done()
		r.node.meter.remove(p.PID())
		r.node.logs.ended(command.Log)
		r.post(func() {
			if c.process == p {
				c.exited()
			}
		})
	}()
}

// command makes what to run for a container.
func (n *Node) command(ctx context.Context, pod *corev1.Pod, c *corev1.Container, ip string, volumes map[string]string) (process.Command, mounts, error) {
	program := c.Command
	if len(program) == 0 {
		mapped, err := images(n.options.Images).program(c.Image)
		if err != nil {
			return process.Command{}, nil, err
		}
		program = mapped
	}
	m, err := mountsOf(c, volumes)
	if err != nil {
		return process.Command{}, nil, err
	}
	vars, err := n.environment(ctx, pod, c, ip)
	if err != nil {
		return process.Command{}, nil, err
	}
	argv := vars.expandAll(program, c.Command != nil)
	argv = append(argv, vars.expandAll(c.Args, true)...)
	for i := range argv {
		argv[i] = m.rewrite(argv[i])
	}
	dir, err := workingDir(filepath.Join(n.podDir(pod.UID), "root"), c.WorkingDir, m)
	if err != nil {
		return process.Command{}, nil, err
	}
	if err := n.logs.prepare(pod); err != nil {
		return process.Command{}, nil, err
	}
	return process.Command{
		Name: string(pod.UID) + "." + c.Name,
		Argv: argv,
		Env:  vars.list(m),
		Dir:  dir,
		Log:  n.LogPath(pod.Namespace, pod.Name, c.Name),
	}, m, nil
}
