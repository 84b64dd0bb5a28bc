package demo

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/books"
	"github.com/quickube/qscaler/local/brokers"
	"github.com/quickube/qscaler/worker/contract"
)

// afterglow is how long a worker that has left stays in the picture.
const afterglow = 1500 * time.Millisecond

// world is what is seen of the world. Informers, the reader of the queue and the story write to it; the screen and
// the story read it.
type world struct {
	began   time.Time
	books   *books.Books
	logPath func(pod string) string
	broker  string

	mu           sync.Mutex
	chapter      heading
	status       v1alpha1.QWorkerStatus
	waiting      int64
	inFlight     int64
	operatorDown bool
	workers      map[string]*worker
	lengths      map[string]time.Duration // by task
	pushed       int
	news         []news
	taken        []*taken // by a Deployment
	burst        *burst   // the one whose workers are being counted
	bursts       []*burst
}

// worker is one pod as last seen.
type worker struct {
	pod      corev1.Pod
	seen     time.Time // first
	gone     time.Time // when it was removed or had ended
	told     bool      // that it is gone
	killed   time.Time // by the story
	granted  time.Time // first
	reason   contract.Reason
	restarts int32
}

// burst is a push, and the workers that were created for it.
type burst struct {
	at   time.Time
	pods []string
}

func newWorld(broker string, logPath func(pod string) string) *world {
	return &world{
		began: time.Now(), books: books.New(), broker: broker, logPath: logPath,
		workers: map[string]*worker{}, lengths: map[string]time.Duration{},
	}
}

func (w *world) sawPod(pod *corev1.Pod) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.workers[pod.Name]
	if known == nil {
		known = &worker{seen: now}
		w.workers[pod.Name] = known
		w.books.Follow(pod.Name, w.logPath(pod.Name))
		if w.burst != nil {
			w.burst.pods = append(w.burst.pods, pod.Name)
		}
	}
	known.pod = *pod
	for _, c := range pod.Status.ContainerStatuses {
		known.restarts = c.RestartCount
	}
	if reason := pod.Annotations[contract.AnnotationDrain]; reason != "" && known.granted.IsZero() {
		since, _, _ := strings.Cut(pod.Annotations[contract.AnnotationDrainSince], ",")
		known.granted, _ = time.Parse(time.RFC3339Nano, since)
		known.reason = contract.Reason(reason)
		if known.reason == contract.ReasonScaleDown {
			w.takeAsDeployment(known.granted)
		}
	}
	if ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed; ended && known.gone.IsZero() {
		known.gone = now
	}
}

func (w *world) sawPodGo(pod *corev1.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.workers[pod.Name]; known != nil && known.gone.IsZero() {
		known.gone = time.Now()
	}
}

func (w *world) sawStatus(status v1alpha1.QWorkerStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

// tell adds news in the order of their time: events arrive in any order.
func (w *world) tell(n news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addNews(n)
}

func (w *world) addNews(n news) {
	w.news = append(w.news, n)
	slices.SortStableFunc(w.news, func(a, b news) int { return cmp.Compare(a.at, b.at) })
}

// tellOfWorkers tells who has left, and whom a Deployment would have stopped in the middle of a task. The books are fresh.
func (w *world) tellOfWorkers() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.taken {
		if t.told {
			continue
		}
		t.told = true
		if task := w.books.TaskAt(t.pod, t.at); task != "" {
			why := "would stop " + short(t.pod) + " in the middle of " + task
			w.addNews(news{at: t.at.Sub(w.began), from: fromDeployment, what: "a Deployment", why: why})
		}
	}
	for _, name := range w.namesWhere(func(known *worker) bool { return !known.gone.IsZero() && !known.told }) {
		known := w.workers[name]
		known.told = true
		why := "without a grant"
		if known.reason != "" {
			why = "on its grant (" + string(known.reason) + ")"
		}
		why += "; tasks done: " + strconv.Itoa(w.books.Doing(name).Done)
		w.addNews(news{at: known.gone.Sub(w.began), from: fromWorker, what: "has left", why: why, who: short(name)})
	}
}

func (w *world) isLive(pod string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.workers[pod]
	return known != nil && known.gone.IsZero()
}

// live has the names of the workers that have not ended, by their age.
func (w *world) live() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.namesWhere(func(known *worker) bool { return known.gone.IsZero() })
}

func (w *world) namesWhere(keep func(*worker) bool) []string {
	var names []string
	for name, known := range w.workers {
		if keep(known) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(w.workers[a].seen.Compare(w.workers[b].seen), cmp.Compare(a, b))
	})
	return names
}

// readQueue reads how many tasks wait, and how many are in hand.
func (w *world) readQueue(ctx context.Context, tasks brokers.Queue) error {
	w.mu.Lock()
	pods := w.namesWhere(func(*worker) bool { return true })
	w.mu.Unlock()
	waiting, inFlight, err := tasks.Depth(ctx, pods)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.inFlight = waiting, inFlight
	return nil
}

// picture is the present moment.
func (w *world) picture() picture {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	p := picture{
		elapsed: now.Sub(w.began), chapter: w.chapter, broker: w.broker, waiting: w.waiting, inFlight: w.inFlight,
		desired: w.status.DesiredReplicas, current: w.status.CurrentReplicas, draining: w.status.DrainingReplicas,
		pushed: w.pushed, done: w.pushed - len(w.books.Open()), operatorDown: w.operatorDown,
		replicas: w.status.Replicas, stopped: w.stopped(), news: slices.Clone(w.news),
	}
	for _, known := range w.workers {
		if known.reason == contract.ReasonScaleDown {
			p.left++
		}
	}
	present := w.namesWhere(func(known *worker) bool { return known.gone.IsZero() })
	left := w.namesWhere(func(known *worker) bool { return !known.gone.IsZero() && now.Sub(known.gone) < afterglow })
	for _, name := range append(present, left...) {
		p.workers = append(p.workers, w.row(name, now))
	}
	return p
}

func (w *world) row(name string, now time.Time) workerRow {
	known, work := w.workers[name], w.books.Doing(name)
	row := workerRow{
		name:     short(name),
		revision: known.pod.Labels[contract.LabelPodSpecHash],
		leave:    known.pod.Annotations[contract.AnnotationDrain],
		done:     work.Done,
	}
	switch {
	case !known.gone.IsZero():
		row.activity = gone
	case !known.killed.IsZero() && (work.Task == "" || !work.Since.After(known.killed)) && now.Sub(known.killed) < 10*time.Second:
		row.activity = killed
	case !isRunning(&known.pod):
		row.activity = starting
	case work.Task == "":
		row.activity = idle
	default:
		row.activity, row.task = busy, work.Task
		row.spent, row.length = now.Sub(work.Since), w.lengths[work.Task]
		row.stopped = slices.ContainsFunc(w.taken, func(t *taken) bool { return t.pod == name && !t.at.Before(work.Since) })
	}
	return row
}

func isRunning(pod *corev1.Pod) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == container {
			return c.State.Running != nil
		}
	}
	return false
}
