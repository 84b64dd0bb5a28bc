package operator_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/config/rbac"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
)

// The metrics are for those whom the API server lets get them, from the replica that leads and from one that waits. The
// operator runs under its own account.
func TestWhoMayReadTheMetrics(t *testing.T) {
	namespace, c := controlplanetest.Namespace(t, shared), newClient(t)
	for _, manifests := range []string{string(rbac.Role), read(t, "../../config/rbac/metrics.yaml")} {
		for manifest := range strings.SplitSeq(strings.TrimPrefix(manifests, "---\n"), "\n---\n") {
			var role rbacv1.ClusterRole
			if err := yaml.Unmarshal([]byte(manifest), &role); err != nil {
				t.Fatal(err)
			}
			if role.Kind == "ClusterRole" {
				if err := c.Create(t.Context(), &role); err != nil && !apierrors.IsAlreadyExists(err) {
					t.Fatal(err)
				}
			}
		}
	}
	own := withRoles(t, c, namespace, "operator", "qscaler", "qscaler-metrics-auth")
	if err := c.Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "leases-of-" + namespace},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}}},
	}); err != nil {
		t.Fatal(err)
	}
	bind(t, c, namespace, "operator", "leases-of-"+namespace)

	prometheus := withRoles(t, c, namespace, "prometheus", "qscaler-metrics-reader")
	stranger := withRoles(t, c, namespace, "stranger")
	for _, replica := range []string{"the one that leads", "the one that waits"} {
		address := freeAddress(t)
		run(t, operator.Options{
			Config: own, Namespaces: []string{namespace}, MetricsAddress: address, ProbeAddress: "0",
			LeaderElection: true, LeaderElectionNamespace: namespace,
		})
		for name, who := range map[string]struct {
			token string
			want  int
		}{
			"who shows no token":       {"", http.StatusUnauthorized},
			"who shows a wrong one":    {"x", http.StatusInternalServerError}, // the filter takes it for a failure
			"who may do nothing":       {stranger.BearerToken, http.StatusForbidden},
			"who may read the metrics": {prometheus.BearerToken, http.StatusOK},
		} {
			await(t, replica+" to answer to one "+name, func() string { return scrape(t, "https://"+address, who.token, who.want) })
		}
		if complaint := get(t, "http://"+address+"/metrics"); complaint == "" {
			t.Errorf("%s serves plain HTTP", replica)
		}
	}
}

// Local mode, and whoever wants it, has them open.
func TestOpenMetrics(t *testing.T) {
	address := freeAddress(t)
	run(t, operator.Options{
		Namespaces: []string{controlplanetest.Namespace(t, shared)}, MetricsAddress: address, ProbeAddress: "0", OpenMetrics: true,
	})
	await(t, "the metrics", func() string { return get(t, "http://"+address+"/metrics") })
}

// scrape complains of another answer than the wanted one.
func scrape(t *testing.T, url, token string, want int) (complaint string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}}}
	response, err := trusting.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want || (want == http.StatusOK && !strings.Contains(string(body), "go_goroutines")) {
		return fmt.Sprintf("%s: %.300s (%v)", response.Status, body, err)
	}
	return ""
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// withRoles makes a service account with roles of the whole cluster, and a client's configuration that acts as it.
func withRoles(t *testing.T, c client.Client, namespace, name string, roles ...string) *rest.Config {
	t.Helper()
	if err := c.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}); err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		bind(t, c, namespace, name, role)
	}
	config, err := shared.ServiceAccountConfig(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func bind(t *testing.T, c client.Client, namespace, name, role string) {
	t.Helper()
	if err := c.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace + "-" + name + "-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: name}},
	}); err != nil {
		t.Fatal(err)
	}
}
