package fleet

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestOnlySomeRefusalsAreAboutTheSize(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for words, want := range map[string]bool{
		"exceeded quota: q, requested: requests.memory=237Mi, used: requests.memory=64Mi, limited: requests.memory=200Mi": true,
		"exceeded quota: memory, requested: pods=1, used: pods=10, limited: pods=10":                                      false,
		"maximum memory usage per Container is 128Mi, but limit is 237Mi":                                                 true,
		`violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`:                                     false,
	} {
		refused := &CreateError{Revision: "r", pod: "p", err: apierrors.NewForbidden(pods, "p", errors.New(words))}
		other := errors.New("patching a pod failed")
		refusals, rest := SplitSizeRefusals(errors.Join(other, refused))
		if (len(refusals) == 1) != want {
			t.Errorf("%s: %d refusals of the size", words, len(refusals))
		}
		if !errors.Is(rest, other) || errors.Is(rest, refused) == want {
			t.Errorf("%s: the rest is %v", words, rest)
		}
	}
	busy := &CreateError{pod: "p", err: apierrors.NewTooManyRequests("the cpu of the API server is busy", 1)}
	if refusals, rest := SplitSizeRefusals(busy); len(refusals) != 0 || !errors.Is(rest, busy) {
		t.Errorf("%v: is taken for a refusal of the size", busy)
	}
	invalid := func(path string) error {
		return &CreateError{pod: "p", err: apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", field.ErrorList{field.Invalid(field.NewPath(path), "x", "no")})}
	}
	for path, want := range map[string]int{"spec.containers[0].resources.requests": 1, "spec.priorityClassName": 0} {
		if refusals, _ := SplitSizeRefusals(invalid(path)); len(refusals) != want {
			t.Errorf("%s: %d refusals of the size, want %d", path, len(refusals), want)
		}
	}
}
