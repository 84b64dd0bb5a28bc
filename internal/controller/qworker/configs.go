package qworker

import (
	"errors"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/podconfig"
	"github.com/quickube/qscaler/internal/revision"
)

// podConfig is what is known of the Secrets and ConfigMaps that the spec's pods refer to.
type podConfig struct {
	// follow is true where a change of one of them replaces the workers.
	follow     bool
	references []podconfig.Reference
	states     []podconfig.State
	// present is what is known of their contents.
	present revision.Config
	// omitted counts the references that are not looked at.
	omitted int
}

// follows reports whether a QWorker's workers are replaced when a Secret or ConfigMap changes.
func follows(spec *v1alpha1.RolloutSpec) bool {
	return spec != nil && spec.OnConfigChange == v1alpha1.ConfigChangeRestart
}

// readConfig asks what is known of the Secrets and ConfigMaps. It waits for nothing: another reconciliation follows when
// more is known.
func (r *round) readConfig() revision.Config {
	c := podConfig{follow: follows(r.seen.qw.Spec.Rollout)}
	if !c.follow {
		r.reconciler.configs.Forget(r.seen.name())
		return revision.Config{}
	}
	c.references = podconfig.Of(&r.seen.qw.Spec.PodSpec)
	if n := len(c.references) - podconfig.MaxReferences; n > 0 {
		c.references, c.omitted = c.references[:podconfig.MaxReferences], n
	}
	objects := make([]podconfig.Object, len(c.references))
	for i, reference := range c.references {
		objects[i] = reference.Object
	}
	c.states = r.reconciler.configs.Ask(r.seen.name(), objects)
	c.present = revision.Config{Follow: true, Fingerprints: c.fingerprints(func(object string) string {
		return r.reconciler.key.OfData(r.seen.qw.Namespace, object, nil)
	})}
	r.seen.podConfig = c
	return c.present
}

// judgeConfigs tells which pods of the newest revision were made with another content than it has: they were made while a
// canary tried that content, and it was changed back. Those of other revisions leave with the rollout.
func (o *observation) judgeConfigs() {
	newest := o.revisions.newest
	for i := range o.states {
		o.states[i].OtherConfig = o.podConfig.follow && newest != nil && o.states[i].Revision == newest.Hash && revision.HasOtherConfig(o.pods[i])
	}
}

// fingerprints are those of the objects that are known. An optional one that does not exist is as an empty one, by
// whose name empty makes that fingerprint. One that pods need, and that does not exist, is as it last was: deleted and created
// again with the same content, it has not changed.
func (c podConfig) fingerprints(empty func(object string) string) map[string]string {
	known := map[string]string{}
	for i, reference := range c.references {
		state, name := c.states[i], reference.String()
		switch {
		case reference.Optional && errors.Is(state.Err, podconfig.ErrNotFound):
			known[name] = empty(name)
		case state.Fingerprint != "":
			known[name] = state.Fingerprint
		}
	}
	return known
}

// noteConfigChange remembers which objects have changed, where that is why another revision is the newest now.
func (r *round) noteConfigChange(newest revision.Revision) {
	stored := r.seen.revisions.all
	if len(stored) == 0 || stored[len(stored)-1].Hash == newest.Hash {
		return
	}
	before := stored[len(stored)-1]
	r.changedConfig = before.Changed(revision.Config{Follow: true, Fingerprints: newest.Config})
}

// reported is what the report is told, nil where no changes are followed.
func (c podConfig) reported() *report.Config {
	if !c.follow {
		return nil
	}
	told := &report.Config{Omitted: c.omitted}
	for i, reference := range c.references {
		state := c.states[i]
		told.Objects = append(told.Objects, report.ConfigObject{
			Name: reference.String(), Optional: reference.Optional, Problem: problemOfObject(state.Err),
			Known: state.Fingerprint != "" || errors.Is(state.Err, podconfig.ErrNotFound),
		})
	}
	return told
}

// problemOfObject is the reason for which an object cannot be read, "" where that is nobody's matter: the API server may answer
// the next time.
func problemOfObject(err error) string {
	switch {
	case errors.Is(err, podconfig.ErrNotFound):
		return report.ReasonConfigNotFound
	case errors.Is(err, podconfig.ErrForbidden):
		return report.ReasonConfigForbidden
	case errors.Is(err, podconfig.ErrNotLabelled):
		return report.ReasonConfigNotLabelled
	}
	return ""
}
