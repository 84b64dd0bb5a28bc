package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

func (w *world) logsOf(pod *corev1.Pod, o corev1.PodLogOptions) (string, error) {
	data, err := w.api.CoreV1().Pods(w.namespace).GetLogs(pod.Name, &o).DoRaw(w.t.Context())
	return string(data), err
}

// The API server asks the node, as it asks a kubelet.
func TestLogsAreServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run("echo one; echo two; while [ ! -e go ]; do sleep 0.05; done; echo three; exec sleep 60", func(p *corev1.Pod) {
		p.Spec.Containers[0].WorkingDir = "/work"
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "w", MountPath: "/work"}}
		p.Spec.Volumes = []corev1.Volume{{Name: "w", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	w.awaitLog(pod, "two")
	if got, err := w.logsOf(pod, corev1.PodLogOptions{}); err != nil || got != "one\ntwo\n" {
		t.Errorf("the log: %q, %v", got, err)
	}
	one := int64(1)
	if got, err := w.logsOf(pod, corev1.PodLogOptions{TailLines: &one}); err != nil || got != "two\n" {
		t.Errorf("its last line: %q, %v", got, err)
	}
	for want, o := range map[string]corev1.PodLogOptions{
		"no previous log": {Previous: true},
		"no times":        {Timestamps: true},
	} {
		if got, err := w.logsOf(pod, o); err == nil || !strings.Contains(err.Error()+got, want) {
			t.Errorf("%+v: %q, %v, want %q", o, got, err, want)
		}
	}
}

func TestALogIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run("echo one; trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done")
	w.awaitLog(pod, "one")
	stream, err := w.api.CoreV1().Pods(w.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stream)
	if line, err := lines.ReadString('\n'); err != nil || line != "one\n" {
		t.Fatalf("the first line: %q, %v", line, err)
	}
	w.delete(pod, 30)
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "bye\n" {
		t.Errorf("the rest: %q, %v", rest, err)
	}
}

func TestALogThatIsNotThereSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run("", func(p *corev1.Pod) { p.Spec.Containers[0].Command = nil })
	w.await(pod, "waiting for its image", func(p *corev1.Pod) bool {
		return worker(p).State.Waiting != nil && worker(p).State.Waiting.Message != ""
	})
	got, err := w.logsOf(pod, corev1.PodLogOptions{})
	if err == nil || !strings.Contains(err.Error()+got, "--image shell=COMMAND") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestExecSaysWhatToDoInstead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run("exec sleep 60")
	w.await(pod, "running", func(p *corev1.Pod) bool { return worker(p).State.Running != nil })
	config := *shared.Config()
	config.NextProtos = []string{"http/1.1"} // an upgrade, as kubectl asks for, needs it
	encryption, err := rest.TLSConfigFor(&config)
	if err != nil {
		t.Fatal(err)
	}
	authenticated, err := rest.HTTPWrappersForConfig(&config, &http.Transport{
		TLSClientConfig: encryption,
		// The API server closes a connection on which an upgrade was refused.
		DisableKeepAlives: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: authenticated}
	for verb, want := range map[string]string{"exec": "look at it from a shell", "attach": "look at it from a shell", "portforward": "connect to the port"} {
		url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/%s?container=worker&command=sh&stdout=true", config.Host, w.namespace, pod.Name, verb)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Connection", "Upgrade")
		request.Header.Set("Upgrade", "SPDY/3.1")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		words, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || !strings.Contains(string(words), want) {
			t.Errorf("%s: %s, %q, %v, want %q", verb, response.Status, words, err, want)
		}
		var status metav1.Status
		if verb == "portforward" && (yaml.Unmarshal(words, &status) != nil || !strings.Contains(status.Message, want)) {
			t.Errorf("kubectl reads %q as a Status, with the message %q", words, status.Message)
		}
	}
}

// Only the API server is let in: logs are for those whom the API server lets read them.
func TestNobodyElseReadsLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run("echo secret; exec sleep 60")
	w.awaitLog(pod, "secret")
	node, err := w.api.CoreV1().Nodes().Get(t.Context(), w.options.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(shared.Config())
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", node.Status.DaemonEndpoints.KubeletEndpoint.Port) + "/containerLogs/" + w.namespace + "/" + pod.Name + "/worker"
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("the administrator's token alone is answered: %s", response.Status)
	}
}
