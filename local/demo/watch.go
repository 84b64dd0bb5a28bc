package demo

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/brokers"
)

// lookEvery is how often the queue and the workers' logs are read, and the picture is drawn.
const lookEvery = 100 * time.Millisecond

// watch follows the namespace's objects into the world until the context ends. It returns once it has seen
// those that are there.
func watch(ctx context.Context, config *rest.Config, w *world) error {
	objects, err := cache.New(config, cache.Options{
		Scheme: operator.NewScheme(), DefaultNamespaces: map[string]cache.Config{namespace: {}},
	})
	if err != nil {
		return err
	}
	for _, follow := range []struct {
		kind client.Object
		seen func(object any)
		gone func(object any)
	}{
		{&corev1.Pod{}, func(o any) { w.sawPod(o.(*corev1.Pod)) }, func(o any) { w.sawPodGo(o.(*corev1.Pod)) }},
		{&v1alpha1.QWorker{}, func(o any) { w.sawStatus(o.(*v1alpha1.QWorker).Status) }, nil},
		{&eventsv1.Event{}, func(o any) { w.sawEvent(o.(*eventsv1.Event)) }, nil},
	} {
		informer, err := objects.GetInformer(ctx, follow.kind, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    follow.seen,
			UpdateFunc: func(_, o any) { follow.seen(o) },
			DeleteFunc: func(o any) {
				if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
					o = last.Obj
				}
				if follow.gone != nil {
					follow.gone(o)
				}
			},
		})
		if err != nil {
			return err
		}
	}
	go func() { _ = objects.Start(ctx) }() // fails only when it is started twice
	if !objects.WaitForCacheSync(ctx) {
		return fmt.Errorf("watching namespace %s, %w", namespace, context.Cause(ctx))
	}
	return nil
}

// podsOf is the end of a decision's note: "(3 pods: a, b, c)".
var podsOf = regexp.MustCompile(` \((\d+) pods?: (.*)\)$`)

// sawEvent adds an event of the QWorker to the news, once: a repeated event only changes its count.
func (w *world) sawEvent(event *eventsv1.Event) {
	if event.Regarding.Kind != "QWorker" || event.Series != nil {
		return
	}
	what, why, who := event.Reason, event.Note, ""
	if parts := podsOf.FindStringSubmatch(why); parts != nil {
		why = why[:len(why)-len(parts[0])]
		if n, err := strconv.Atoi(parts[1]); err == nil && n > 1 {
			what += " x" + parts[1]
		}
		who = shortNames(parts[2])
	}
	w.tell(news{at: event.EventTime.Sub(w.began), what: what, why: why, who: who})
}

// shortNames shortens the pods' names of a list such as "a, b, c and 4 more".
func shortNames(list string) string {
	names := strings.Split(list, ", ")
	for i, name := range names {
		name, more, _ := strings.Cut(name, " ")
		names[i] = strings.TrimSpace(short(name) + " " + more)
	}
	return strings.Join(names, ", ")
}

// look reads the queue and the logs again and again until the context ends, and shows each moment.
func look(ctx context.Context, w *world, tasks brokers.Queue, show func(picture)) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		// What cannot be read now is shown as before. The summary reads everything once more.
		_ = w.readQueue(ctx, tasks)
		_ = w.books.Refresh()
		w.tellOfWorkers()
		show(w.picture())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
