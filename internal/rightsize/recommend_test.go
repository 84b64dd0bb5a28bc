package rightsize

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/propertytest"
)

// list makes a ResourceList from "cpu", "100m", "memory", "1Gi".
func list(pairs ...string) corev1.ResourceList {
	if len(pairs) == 0 {
		return nil
	}
	l := corev1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		l[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return l
}

func needs(requests, limits corev1.ResourceList) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: requests, Limits: limits}
}

// readable shows quantities as people write them.
func readable(l corev1.ResourceList) map[string]string {
	if len(l) == 0 {
		return nil
	}
	m := map[string]string{}
	for name, q := range l {
		m[string(name)] = q.String()
	}
	return m
}

func allow(cpu, memory string) v1alpha1.AllowedResources {
	var a v1alpha1.AllowedResources
	if cpu != "" {
		a.CPU = ptr.To(resource.MustParse(cpu))
	}
	if memory != "" {
		a.Memory = ptr.To(resource.MustParse(memory))
	}
	return a
}

// used is a history of so many days of one sample a minute, of half a core and 256 MiB.
func used(days float64) *History {
	h := NewHistory()
	for i := range int(days*samplesPerDay) + 1 {
		h.Observe(Sample{Pod: "p", Container: "w", Time: start.Add(time.Duration(i) * time.Minute), CPU: 0.5, Memory: 256 << 20})
	}
	return h
}

func TestRecommend(t *testing.T) {
	killed := used(0.01)
	killed.Count(killOf("p", 0, 512*mi), Bounds{}, start)
	unmeasured := NewHistory() // without metrics, kills are all that is known
	unmeasured.Count(killOf("p", 0, 64*mi), Bounds{}, start)
	gi := needs(list("cpu", "1", "memory", "1Gi"), nil)
	for name, tc := range map[string]struct {
		history  *History
		spec     v1alpha1.RightSizingSpec
		template corev1.ResourceRequirements
		before   *v1alpha1.ContainerRecommendation
		want     map[string]string
		reason   Reason
	}{
		"nothing without samples": {history: NewHistory()},
		// 0.5111345 cores and 281323847 bytes are the ends of the buckets; 15 % more are 0.5878 and 308.54 MiB.
		"the 90th percentile and 15 %":               {history: used(0.01), want: map[string]string{"cpu": "588m", "memory": "309Mi"}, reason: Used},
		"no headroom":                                {history: used(0.01), spec: v1alpha1.RightSizingSpec{HeadroomPercent: ptr.To[int32](0)}, want: map[string]string{"cpu": "512m", "memory": "269Mi"}, reason: Used},
		"a small request is raised at once":          {history: used(0.01), template: needs(list("cpu", "100m", "memory", "64Mi"), nil), want: map[string]string{"cpu": "588m", "memory": "309Mi"}, reason: Used},
		"a large request is kept at first":           {history: used(0.01), template: needs(list("cpu", "4", "memory", "4Gi"), nil), want: map[string]string{"cpu": "4", "memory": "4Gi"}, reason: ShortHistory},
		"and lowered with a history":                 {history: used(1), template: needs(list("cpu", "4", "memory", "4Gi"), nil), want: map[string]string{"cpu": "588m", "memory": "309Mi"}, reason: Used},
		"one of two resources":                       {history: used(0.01), spec: v1alpha1.RightSizingSpec{ControlledResources: []corev1.ResourceName{"memory"}}, want: map[string]string{"memory": "309Mi"}, reason: Used},
		"not below minAllowed":                       {history: used(0.01), spec: v1alpha1.RightSizingSpec{MinAllowed: map[string]v1alpha1.AllowedResources{"w": allow("1", "")}}, want: map[string]string{"cpu": "1", "memory": "309Mi"}, reason: Used},
		"not above maxAllowed of any container":      {history: used(0.01), spec: v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"*": allow("", "128Mi"), "w": allow("100m", "")}}, want: map[string]string{"cpu": "100m", "memory": "128Mi"}, reason: MaxAllowed},
		"kills raise the memory":                     {history: killed, want: map[string]string{"cpu": "588m", "memory": "615Mi"}, reason: OutOfMemory},
		"kills do not beat maxAllowed":               {history: killed, spec: v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"*": allow("", "400Mi")}}, want: map[string]string{"cpu": "588m", "memory": "400Mi"}, reason: MaxAllowed},
		"a tenth off stands":                         {history: used(0.01), before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "540m", "memory", "330Mi"), Reason: "Usage"}, want: map[string]string{"cpu": "540m", "memory": "330Mi"}, reason: Used},
		"one that is further off moves alone":        {history: used(0.01), before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "540m", "memory", "100Mi"), Reason: "Usage"}, want: map[string]string{"cpu": "540m", "memory": "309Mi"}, reason: Used},
		"what was learned outlives the history":      {history: NewHistory(), before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "540m"), Reason: "Usage"}, want: map[string]string{"cpu": "540m"}, reason: Used},
		"a new maximum is followed at once":          {history: used(0.01), spec: v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{"*": allow("", "310Mi")}}, before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "588m", "memory", "330Mi"), Reason: "Usage"}, want: map[string]string{"cpu": "588m", "memory": "309Mi"}, reason: Used},
		"a new minimum is followed at once":          {history: used(0.01), spec: v1alpha1.RightSizingSpec{MinAllowed: map[string]v1alpha1.AllowedResources{"*": allow("", "300Mi")}}, before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "588m", "memory", "290Mi"), Reason: "Usage"}, want: map[string]string{"cpu": "588m", "memory": "309Mi"}, reason: Used},
		"a kill of a small pod lowers no podSpec":    {history: unmeasured, template: gi, want: map[string]string{"memory": "1Gi"}, reason: ShortHistory},
		"a kill raises a small podSpec":              {history: unmeasured, template: needs(list("memory", "64Mi"), nil), want: map[string]string{"memory": "164Mi"}, reason: OutOfMemory},
		"what was learned lowers no podSpec":         {history: NewHistory(), template: gi, before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("cpu", "1500m", "memory", "164Mi"), Reason: "Usage"}, want: map[string]string{"cpu": "1500m"}, reason: Used},
		"a kill lowers nothing that was learned":     {history: unmeasured, before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("memory", "500Mi"), Reason: "Usage"}, want: map[string]string{"memory": "500Mi"}, reason: Used},
		"an earlier podSpec is not what was learned": {history: unmeasured, template: needs(list("memory", "64Mi"), nil), before: &v1alpha1.ContainerRecommendation{Name: "w", Requests: list("memory", "1Gi"), Reason: "ShortHistory"}, want: map[string]string{"memory": "164Mi"}, reason: OutOfMemory},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.history.Recommend("w", Policy{spec: tc.spec}, tc.template, tc.before, start)
			if got == nil {
				got = &v1alpha1.ContainerRecommendation{}
			}
			if diff := cmp.Diff(tc.want, readable(got.Requests)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.Reason != string(tc.reason) {
				t.Errorf("the reason is %s (%s), want %s", got.Reason, got.Message, tc.reason)
			}
		})
	}
}

// Whatever was used and allowed, a recommendation is within the bounds.
func TestRecommendationBounds(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		h := NewHistory()
		for i := range rapid.IntRange(1, 20).Draw(t, "samples") {
			h.Observe(Sample{
				Pod: "p", Container: "w", Time: start.Add(time.Duration(i) * time.Minute),
				CPU: rapid.Float64Range(0, 2000).Draw(t, "cpu"), Memory: rapid.Float64Range(0, 2e12).Draw(t, "memory"),
			})
		}
		least := rapid.Int64Range(1, 1<<40).Draw(t, "min")
		most := least + rapid.Int64Range(0, 1<<40).Draw(t, "more")
		bounds := func(b int64) map[string]v1alpha1.AllowedResources {
			return map[string]v1alpha1.AllowedResources{"*": {Memory: resource.NewQuantity(b, resource.BinarySI)}}
		}
		p := Policy{spec: v1alpha1.RightSizingSpec{MinAllowed: bounds(least), MaxAllowed: bounds(most)}}
		for i := range rapid.IntRange(0, 4).Draw(t, "kills") {
			h.Count(killOf("p", int32(i), rapid.Int64Range(0, 1<<41).Draw(t, "request")), Bounds{Maximum: most}, start)
		}
		r := h.Recommend("w", p, corev1.ResourceRequirements{}, nil, start)
		if memory := r.Requests.Memory().Value(); memory < least || memory > most {
			t.Fatalf("memory is %d, outside of %d to %d", memory, least, most)
		}
		if cpu := r.Requests.Cpu().MilliValue(); cpu < 1 {
			t.Fatalf("cpu is %dm", cpu)
		}
	})
}
