package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/quickube/qscaler/local/process"
)

// Options describe a node.
type Options struct {
	// Config is that of a client with all rights.
	Config *rest.Config
	// Name is the Node's name.
	Name string
	// Labels are added to those that every node has.
	Labels map[string]string
	// Dir is the directory of the pods' volumes and logs, which is created.
	Dir string
	// Images maps an image to the program and arguments that stand for it on this machine.
	Images map[string][]string
	Log    logr.Logger

	// CrashBackOff and MaxCrashBackOff are the first and the longest wait before a container is restarted;
	// 0 means Kubernetes' own 10 s and 5 min.
	CrashBackOff, MaxCrashBackOff time.Duration
	// MetricsInterval is how often the node tells what its pods use, as PodMetrics; 0 means never. Install
	// serves their kind.
	MetricsInterval time.Duration
	// Serving is what the node's port is served with, for `kubectl logs`; nil opens none. Whoever it lets in may read
	// the logs of all pods.
	Serving *tls.Config
	// StopGrace is how long processes have from SIGTERM to SIGKILL when the node itself ends; 0 means 5 s.
	StopGrace time.Duration
}

// Node runs pods.
type Node struct {
	options   Options
	client    kubernetes.Interface
	launcher  *process.Launcher
	addresses *addresses
	logs      *logs
	meter     *meter
	kubelet   *kubelet

	mu          sync.Mutex
	runners     map[types.UID]*runner
	schedulable bool
	running     sync.WaitGroup
}

// New makes a node, and ends the processes that a killed predecessor with the same directory has left.
func New(o Options) (*Node, error) {
	o.CrashBackOff = cmp.Or(o.CrashBackOff, 10*time.Second)
	o.MaxCrashBackOff = cmp.Or(o.MaxCrashBackOff, 5*time.Minute)
	o.StopGrace = cmp.Or(o.StopGrace, 5*time.Second)
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	client, err := kubernetes.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	launcher, killed, err := process.NewLauncher(filepath.Join(o.Dir, "processes"))
	if err != nil {
		return nil, fmt.Errorf("starting node %s, %w", o.Name, err)
	}
	if len(killed) > 0 {
		o.Log.Info("Ended processes of an earlier run", "count", len(killed))
	}
	logs, err := newLogs(filepath.Join(o.Dir, "logs"))
	if err != nil {
		return nil, err
	}
	metrics, err := dynamic.NewForConfig(o.Config)
	if err != nil {
		return nil, err
	}
	n := &Node{
		options: o, client: client, launcher: launcher, addresses: newAddresses(), logs: logs, meter: newMeter(metrics, o.Log),
		runners: map[types.UID]*runner{}, schedulable: true,
	}
	if o.Serving == nil {
		return n, nil
	}
	n.kubelet, err = n.listen(o.Serving)
	return n, err
}

// Run registers the node and runs pods until the context ends; then it ends their processes. It may be
// called once.
func (n *Node) Run(ctx context.Context) error {
	defer n.launcher.Close()
	ctx, cancel := context.WithCancel(ctx)
	if n.kubelet != nil {
		defer n.running.Wait()
		n.running.Go(func() { n.kubelet.run(ctx) })
	}
	defer cancel()
	if err := n.register(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("registering node %s, %w", n.options.Name, err)
	}
	factory := informers.NewSharedInformerFactory(n.client, 0)
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { n.podSeen(ctx, obj) },
		UpdateFunc: func(_, obj any) { n.podSeen(ctx, obj) },
		DeleteFunc: n.podGone,
	})
	if err != nil {
		return err
	}
	if err := n.watchSelf(factory); err != nil {
		return err
	}
	n.running.Go(func() { n.meter.run(ctx, n.options.MetricsInterval) })
	factory.Start(ctx.Done())
	if cache.WaitForCacheSync(ctx.Done(), factory.Core().V1().Pods().Informer().HasSynced) {
		n.removeStrangers(factory.Core().V1().Pods().Informer().GetStore())
	}
	<-ctx.Done()
	factory.Shutdown()
	n.running.Wait()
	return n.launcher.KillRemaining()
}

// podSeen gives a pod to its runner, and makes one for a pod that is ours or could be.
func (n *Node) podSeen(ctx context.Context, obj any) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.runners[pod.UID]
	if r == nil {
		if ctx.Err() != nil || (pod.Spec.NodeName != "" && pod.Spec.NodeName != n.options.Name) {
			return
		}
		r = newRunner(n, pod)
		n.runners[pod.UID] = r
		n.running.Go(func() {
			r.run(ctx)
			n.mu.Lock()
			defer n.mu.Unlock()
			delete(n.runners, pod.UID)
		})
		return
	}
	r.see(pod)
}

func (n *Node) podGone(obj any) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.runners[pod.UID]; r != nil {
		r.vanished()
	}
}

// wakeAll lets every runner look at the world again.
func (n *Node) wakeAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.runners {
		r.wake()
	}
}

// KillWorker kills the pod's worker container with SIGKILL, as a crash of it would. The worker container is
// the one that the annotation kubectl.kubernetes.io/default-container names, else the first.
func (n *Node) KillWorker(namespace, pod string) error {
	found := n.runner(namespace, pod)
	if found == nil {
		return fmt.Errorf("pod %s/%s does not run on node %s", namespace, pod, n.options.Name)
	}
	return found.killWorker()
}

// LogPath is the path of the file with all that a container has written, over its restarts.
func (n *Node) LogPath(namespace, pod, container string) string {
	return n.logs.path(namespace, pod, container)
}

// removeStrangers removes the directories of pods that were deleted while no node ran here.
func (n *Node) removeStrangers(pods cache.Store) {
	known := map[string]bool{}
	for _, obj := range pods.List() {
		if pod, ok := obj.(*corev1.Pod); ok {
			known[string(pod.UID)] = true
		}
	}
	entries, err := os.ReadDir(filepath.Join(n.options.Dir, "pods"))
	if err != nil {
		return // there was none yet
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, entry := range entries {
		if uid := entry.Name(); !known[uid] && n.runners[types.UID(uid)] == nil {
			_ = os.RemoveAll(n.podDir(types.UID(uid)))
		}
	}
}

func (n *Node) podDir(uid types.UID) string { return filepath.Join(n.options.Dir, "pods", string(uid)) }

// removePod forgets what a pod had on this machine, except its logs, of which the latest are kept.
func (n *Node) removePod(pod *corev1.Pod) {
	if err := os.RemoveAll(n.podDir(pod.UID)); err != nil {
		n.options.Log.Error(err, "Removing a pod's directory", "pod", pod.Namespace+"/"+pod.Name)
	}
	n.addresses.release(pod.UID)
	n.logs.retire(pod)
}
