package podconfig

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "n", Name: name} }

// The content is read once, and again only when the object has another version.
func TestTheContentIsReadWhenItMayBeAnother(t *testing.T) {
	contents := 0
	c := interceptor.NewClient(fake.NewClientBuilder().WithObjects(
		&corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"k": []byte("v")}},
		&corev1.ConfigMap{ObjectMeta: meta("m"), Data: map[string]string{"k": "v"}, BinaryData: map[string][]byte{"b": {0}}},
	).Build(), interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
		if _, isMeta := object.(*metav1.PartialObjectMetadata); !isMeta {
			contents++
		}
		return c.Get(ctx, key, object, o...)
	}})
	api := API{Live: c, Fingerprint: func(namespace, object string, data map[string][]byte) string {
		return fmt.Sprint(namespace, " ", object, " ", data)
	}}
	for object, want := range map[Object]string{
		{Secret, "s"}: "n Secret s map[k:[118]]", {ConfigMap, "m"}: "n ConfigMap m map[b:[0] k:[118]]",
	} {
		contents = 0
		version, got, err := api.Read(t.Context(), "n", object, "")
		if err != nil || got != want || version == "" {
			t.Errorf("%s: %q, %q, %v, want %q", object, version, got, err, want)
		}
		again, _, err := api.Read(t.Context(), "n", object, version)
		if err != nil || again != version || contents != 1 {
			t.Errorf("%s: again %q, %v, after %d reads of the content", object, again, err, contents)
		}
	}
	if err := c.Update(t.Context(), &corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"k": []byte("w")}}); err != nil {
		t.Fatal(err)
	}
	if _, got, err := api.Read(t.Context(), "n", Object{Secret, "s"}, "/1"); err != nil || got != "n Secret s map[k:[119]]" {
		t.Errorf("after a change: %q, %v", got, err)
	}
}

func TestWhyAnObjectCannotBeRead(t *testing.T) {
	resource := schema.GroupResource{Resource: "secrets"}
	for name, c := range map[string]struct {
		answer error
		label  string
		want   error
	}{
		"it does not exist":       {apierrors.NewNotFound(resource, "s"), "", ErrNotFound},
		"it may not be read":      {apierrors.NewForbidden(resource, "s", errors.New("no")), "", ErrForbidden},
		"the API server is away":  {errors.New("connection refused"), "", ErrUnanswered},
		"it is not labelled":      {nil, "label", ErrNotLabelled},
		"the label is not needed": {nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			fakes := fake.NewClientBuilder().WithObjects(&corev1.Secret{ObjectMeta: meta("s")}).Build()
			live := interceptor.NewClient(fakes, interceptor.Funcs{Get: func(ctx context.Context, w client.WithWatch, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
				if c.answer != nil {
					return c.answer
				}
				return w.Get(ctx, key, object, o...)
			}})
			api := API{Live: live, Label: c.label, Fingerprint: func(string, string, map[string][]byte) string { return "" }}
			if _, _, err := api.Read(t.Context(), "n", Object{Secret, "s"}, ""); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
