package stack

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/quickube/qscaler/config/rbac"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
)

// The operator's namespace and name, as in config/.
const (
	operatorNamespace = "qscaler-system"
	operatorName      = "qscaler"
)

// grantRights makes the operator's ServiceAccount with its generated roles, and the Secret of its key, as config/ does in a
// cluster, and returns the configuration of a client that acts as it.
func grantRights(ctx context.Context, plane *controlplane.ControlPlane) (*rest.Config, error) {
	c, err := client.New(plane.Config(), client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		return nil, err
	}
	var (
		clusterRole rbacv1.ClusterRole
		leaseRole   rbacv1.Role
	)
	if err := readRoles(&clusterRole, &leaseRole); err != nil {
		return nil, err
	}
	name := metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorName}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: operatorName}}
	roleRef := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: operatorName}
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}},
		keySecret(),
		&corev1.ServiceAccount{ObjectMeta: name},
		&clusterRole,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: operatorName}, RoleRef: roleRef("ClusterRole"), Subjects: subjects},
		&leaseRole,
		&rbacv1.RoleBinding{ObjectMeta: name, RoleRef: roleRef("Role"), Subjects: subjects},
	} {
		if err := c.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("granting the operator its rights, %w", err)
		}
	}
	return plane.ServiceAccountConfig(ctx, operatorNamespace, operatorName)
}

// keySecret is the Secret that the operator fills with the key of its fingerprints, as in config/manager. Without, an
// operator that is started again could not tell which workers have an old password.
func keySecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operator.FingerprintSecretName}}
}

// readRoles reads the generated documents, in their order.
func readRoles(roles ...client.Object) error {
	documents := bytes.Split(bytes.TrimPrefix(rbac.Role, []byte("---\n")), []byte("\n---\n"))
	if len(documents) != len(roles) {
		return fmt.Errorf("the generated role has %d documents, want %d", len(documents), len(roles))
	}
	for i, role := range roles {
		if err := yaml.UnmarshalStrict(documents[i], role); err != nil {
			return fmt.Errorf("reading the generated role, %w", err)
		}
	}
	return nil
}
