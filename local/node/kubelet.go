package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kubelet is what the API server asks a node for: `kubectl logs`. It answers what processes cannot do, such as
// `kubectl exec`, with what to do instead.
type kubelet struct {
	node     *Node
	listener net.Listener
	server   *http.Server
}

// listen opens the node's port, of which the API server learns from the Node object.
func (n *Node) listen(config *tls.Config) (*kubelet, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(hostIP, "0"))
	if err != nil {
		return nil, fmt.Errorf("opening the node's port, %w", err)
	}
	k := &kubelet{node: n, listener: tls.NewListener(listener, config)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.containerLogs)
	for _, verb := range []string{"exec", "attach"} {
		mux.HandleFunc("/"+verb+"/{namespace}/{pod}/{container}", k.notARuntime)
		mux.HandleFunc("/"+verb+"/{namespace}/{pod}/{uid}/{container}", k.notARuntime)
	}
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.portForward)
	k.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // whoever is not let in
	}
	return k, nil
}

// run serves until the context ends. Who follows a log then is cut off.
func (k *kubelet) run(ctx context.Context) {
	k.server.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = k.server.Close() })
	defer stop()
	if err := k.server.Serve(k.listener); !errors.Is(err, http.ErrServerClosed) {
		k.node.options.Log.Error(err, "Logs cannot be read by kubectl any more")
	}
}

func (k *kubelet) port() int32 {
	address, ok := k.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return int32(address.Port)
}

func (k *kubelet) containerLogs(w http.ResponseWriter, r *http.Request) {
	q, err := parseLogQuery(r.URL.Query())
	if err != nil {
		refuse(w, err.Error())
		return
	}
	namespace, pod, container := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	path := k.node.LogPath(namespace, pod, container)
	if _, err := os.Stat(path); err != nil {
		refuse(w, fmt.Sprintf("container %q in pod %q has written nothing: %s", container, pod, k.node.whyNotRunning(namespace, pod, container)))
		return
	}
	out := &flushing{w: w}
	err = k.node.logs.read(r.Context(), path, q, out)
	if err != nil && !errors.Is(err, io.EOF) && !out.begun {
		refuse(w, err.Error())
	}
}

func (k *kubelet) notARuntime(w http.ResponseWriter, r *http.Request) {
	namespace, pod, container := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	refuse(w, k.node.insteadOfExec(namespace, pod, container))
}

func (k *kubelet) portForward(w http.ResponseWriter, r *http.Request) {
	pod := r.PathValue("pod")
	refuseUpgrade(w, "local mode runs pods as processes of this machine and forwards no ports: connect to the port on this machine, or on "+
		"the pod's own address, kubectl get pod "+pod+" -n "+r.PathValue("namespace")+" -o jsonpath={.status.podIP}")
}

// refuse answers as a kubelet does; kubectl shows the words.
func refuse(w http.ResponseWriter, words string) { http.Error(w, words, http.StatusBadRequest) }

// refuseUpgrade answers with a Status. kubectl port-forward reads every answer as one, also plain words: a colon makes them
// YAML, and so a Status without a message.
func refuseUpgrade(w http.ResponseWriter, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(metav1.Status{ // fails only where nobody listens any more
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonBadRequest, Code: http.StatusBadRequest, Message: words,
	})
}

// flushing passes on every write at once: whoever follows a log waits for it.
type flushing struct {
	w     http.ResponseWriter
	begun bool
}

func (f *flushing) Write(p []byte) (int, error) {
	f.begun = true
	n, err := f.w.Write(p)
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	return n, err
}

// pod is a pod that runs here, with its present status; nil for none.
func (n *Node) pod(namespace, name string) *corev1.Pod {
	if r := n.runner(namespace, name); r != nil {
		return r.present()
	}
	return nil
}

func (n *Node) runner(namespace, name string) *runner {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.runners {
		if r.namespace == namespace && r.name == name {
			return r
		}
	}
	return nil
}

func (n *Node) whyNotRunning(namespace, name, container string) string {
	pod := n.pod(namespace, name)
	if pod == nil {
		return "the pod does not run on this node"
	}
	status, ok := statusOf(pod, container)
	if !ok || status.State.Waiting == nil {
		return "the container has not been started"
	}
	return strings.TrimSuffix(status.State.Waiting.Reason+": "+status.State.Waiting.Message, ": ")
}

// insteadOfExec says what to do where `kubectl exec` is no way.
func (n *Node) insteadOfExec(namespace, name, container string) string {
	const none = "local mode runs containers as processes of this machine, and enters none: "
	pod := n.pod(namespace, name)
	if pod == nil {
		return none + "and this pod does not run on this node"
	}
	status, ok := statusOf(pod, container)
	if !ok || status.State.Running == nil {
		return none + "and container " + container + " does not run; its log is " + n.LogPath(namespace, name, container)
	}
	pid, _, _ := strings.Cut(strings.TrimPrefix(status.ContainerID, containerIDScheme), "-")
	return none + fmt.Sprintf("container %s is process %s; look at it from a shell of this machine, ps -fp %s; it has the environment "+
		"/proc/%s/environ, the working directory /proc/%s/cwd, volumes below %s, and the log %s",
		container, pid, pid, pid, pid, n.podDir(pod.UID), n.LogPath(namespace, name, container))
}

func statusOf(pod *corev1.Pod, container string) (corev1.ContainerStatus, bool) {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for _, s := range list {
			if s.Name == container {
				return s, true
			}
		}
	}
	return corev1.ContainerStatus{}, false
}
