package qworker

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// passwords tells which pods were made with a password of the broker that is not the present one.
type passwords struct {
	resolver   *connection.Resolver
	namespace  string
	config     *v1alpha1.ScalerConfig
	connection connection.Spec // as the ScalerConfig has it now
	revisions  *revisions
	// prints are the present ones, by revision: most pods of a fleet share one.
	prints map[string]string
}

func (p passwords) isOld(pod *corev1.Pod) bool {
	hash := fleet.RevisionOf(pod)
	mark, known := p.prints[hash]
	if !known {
		mark = p.present(p.revisions.of(hash))
		p.prints[hash] = mark
	}
	return connection.Another(pod.Annotations[revision.AnnotationPasswordFingerprint], mark)
}

// present is the fingerprint of a revision's password, "" where nobody knows it. Of a revision with another connection than
// the present one it is not judged: a password that was changed together with the host is none for the former host, and
// the rollout replaces those pods.
func (p passwords) present(made *revision.Revision) string {
	if made == nil || p.config == nil || made.Connection != p.connection {
		return ""
	}
	return p.resolver.Fingerprint(p.namespace, made.Connection, p.config)
}

// learn has the passwords known of pods that will be created, by pod and revision.
func (p passwords) learn(ctx context.Context, creating map[string]string) {
	for _, hash := range creating {
		if made := p.revisions.of(hash); made != nil {
			p.resolver.Learn(ctx, p.namespace, made.Connection)
		}
	}
}
