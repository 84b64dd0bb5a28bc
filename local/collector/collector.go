package collector

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

const (
	// settle is how long a change waits for others.
	settle = 20 * time.Millisecond
	// retryAfter is the pause after something that failed, or that a watch has not shown yet.
	retryAfter = 500 * time.Millisecond
	// listLimit bounds the wait for the first lists of all kinds.
	listLimit = 30 * time.Second
	// lookAgain is how often it is asked for new kinds: most often nothing says that there are any.
	lookAgain = 30 * time.Second
	// newKindLooks is how many times it is asked after a change of a definition, retryAfter apart: the API server serves
	// a new kind some time after its definition is there.
	newKindLooks = 6
	// mostAbsent bounds what is remembered of owners that are gone.
	mostAbsent = 10_000
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Collector deletes what has to go with something else.
type Collector struct {
	watches    *watches
	metadata   metadata.Interface
	namespaces corev1client.NamespaceInterface
	log        logr.Logger
	changed    chan struct{}
	// absent are owners that are gone. A UID does not come back.
	absent map[types.UID]bool
	// kinds are the versions of the definitions that were looked at.
	kinds map[types.UID]string
}

// New makes a collector for the API server of an administrator's configuration.
func New(config *rest.Config, log logr.Logger) (*Collector, error) {
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{} // it has to look at deprecated kinds too
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	c := &Collector{
		metadata: client, namespaces: core.Namespaces(), log: log, changed: make(chan struct{}, 1),
		absent: map[types.UID]bool{}, kinds: map[types.UID]string{},
	}
	c.watches = &watches{discovery: finder, client: client, changed: c.wake, running: map[schema.GroupVersionResource]*watch{}}
	return c, nil
}

func (c *Collector) wake() {
	select {
	case c.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// Run collects until the context ends.
func (c *Collector) Run(ctx context.Context) {
	defer c.watches.ended.Wait()
	if !c.firstLook(ctx) {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	looked, looks := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
			if !pause(ctx, settle) {
				return
			}
		case <-timer.C:
		}
		objects := c.watches.objects()
		if c.kindsChanged(objects) {
			looks = newKindLooks
		}
		if now := time.Now(); looks > 0 && now.Sub(looked) > retryAfter || now.Sub(looked) > lookAgain {
			looks, looked = max(looks-1, 0), now
			c.tell(c.watches.follow(ctx))
		}
		wait := lookAgain
		if c.collect(ctx, objects) || looks > 0 {
			wait = retryAfter
		}
		timer.Reset(wait)
	}
}

// firstLook waits until the kinds are known and listed. It is false when the context has ended before that.
func (c *Collector) firstLook(ctx context.Context) bool {
	for {
		err := c.watches.follow(ctx)
		if err == nil {
			break
		}
		c.tell(err)
		if !pause(ctx, retryAfter) {
			return false
		}
	}
	c.watches.await(ctx, listLimit)
	return ctx.Err() == nil
}

// kindsChanged reports whether a definition has come, gone or changed since the last time.
func (c *Collector) kindsChanged(objects []object) bool {
	kinds := map[types.UID]string{}
	changed := false
	for _, o := range objects {
		if o.resource == definitions {
			kinds[o.uid] = o.resourceVersion
			changed = changed || c.kinds[o.uid] != o.resourceVersion
		}
	}
	changed = changed || len(kinds) != len(c.kinds)
	c.kinds = kinds
	return changed
}

// collect decides and acts once, and reports whether it has to look again soon without being told.
func (c *Collector) collect(ctx context.Context, objects []object) (again bool) {
	asked := map[reference]presence{}
	known := func(r reference) presence {
		if c.absent[r.owner.UID] {
			return absent
		}
		return asked[keyOf(r)]
	}
	actions, ask := plan(objects, known)
	for _, r := range ask {
		if _, done := asked[keyOf(r)]; done {
			continue
		}
		answer, err := c.ask(ctx, r)
		again = c.tell(err) || again
		asked[keyOf(r)] = answer
		if answer == absent {
			if len(c.absent) > mostAbsent {
				clear(c.absent)
			}
			c.absent[r.owner.UID] = true
		}
	}
	if len(ask) > 0 {
		actions, _ = plan(objects, known)
	}
	for _, a := range actions {
		again = c.tell(c.do(ctx, a)) || again
	}
	for _, e := range empty(objects) {
		for _, a := range e.actions {
			again = c.tell(c.do(ctx, a)) || again
		}
		if e.empty {
			done, err := c.finalize(ctx, e.name)
			again = c.tell(err) || !done || again
		}
	}
	return again
}

// keyOf makes a reference comparable: two pointers to the same value are not the same.
func keyOf(r reference) reference {
	r.owner.BlockOwnerDeletion, r.owner.Controller = nil, nil
	return r
}

// tell logs an error, and reports whether there was one.
func (c *Collector) tell(err error) bool {
	if err != nil {
		c.log.Info("A step failed; trying on", "error", err.Error())
	}
	return err != nil
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
