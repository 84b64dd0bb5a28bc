package revision

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// The prefix of a pod's name tells whose it is, and other names have none.
func TestPrefixOf(t *testing.T) {
	qw := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Name: "mail", UID: "uid"}}
	suffix := strings.Repeat("x", suffixLength)
	for name, want := range map[string]string{
		NewPodName(qw):                NamePrefix(qw),
		NamePrefix(qw) + suffix:       NamePrefix(qw),
		NamePrefix(qw) + suffix[1:]:   "",
		NamePrefix(qw) + suffix + "x": "",
		suffix:                        "",
		"-" + suffix:                  "-",
		"":                            "",
		NamePrefix(qw):                "",
	} {
		if got := PrefixOf(name); got != want {
			t.Errorf("of %q it is %q, want %q", name, got, want)
		}
	}
}
