package report

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestConfigRead(t *testing.T) {
	known := ConfigObject{Name: "ConfigMap a", Known: true}
	for name, c := range map[string]struct {
		config *Config
		status metav1.ConditionStatus
		reason string
		words  []string
	}{
		"nobody asked":     {nil, "", "", nil},
		"no references":    {&Config{}, metav1.ConditionTrue, "AllRead", []string{"refers to no Secret"}},
		"all are read":     {&Config{Objects: []ConfigObject{known}}, metav1.ConditionTrue, "AllRead", []string{"ConfigMap a"}},
		"not all are read": {&Config{Objects: []ConfigObject{known, {Name: "Secret b"}}}, metav1.ConditionUnknown, "NotReadYet", []string{"Secret b"}},
		"an optional one is not there": {
			&Config{Objects: []ConfigObject{known, {Name: "Secret b", Known: true, Optional: true, Problem: ReasonConfigNotFound}}},
			metav1.ConditionTrue, "AllRead", []string{"ConfigMap a, Secret b", "not there: Secret b"},
		},
		"one is not there": {
			&Config{Objects: []ConfigObject{known, {Name: "Secret b", Known: true, Problem: ReasonConfigNotFound}}},
			metav1.ConditionFalse, "ConfigNotFound", []string{"Secret b", "Create it"},
		},
		"one may not be read": {
			&Config{Objects: []ConfigObject{{Name: "Secret b", Optional: true, Problem: ReasonConfigForbidden}, known}},
			metav1.ConditionFalse, "ConfigForbidden", []string{"Secret b", "the verb get"},
		},
		"one has no label": {
			&Config{Objects: []ConfigObject{{Name: "Secret b", Problem: ReasonConfigNotLabelled}}},
			metav1.ConditionFalse, "SecretNotLabelled", []string{"Secret b", "--require-secret-label"},
		},
		"too many": {&Config{Objects: []ConfigObject{known}, Omitted: 3}, metav1.ConditionFalse, "TooManyReferences", []string{"3 Secrets"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := configRead(c.config)
			if got.Status != c.status || got.Reason != c.reason || got.Type != "ConfigRead" {
				t.Errorf("got %+v", got)
			}
			for _, words := range c.words {
				if !strings.Contains(got.Message, words) {
					t.Errorf("the message has not %q: %s", words, got.Message)
				}
			}
		})
	}
}
