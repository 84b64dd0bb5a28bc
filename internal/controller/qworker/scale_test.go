package qworker

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/scaling"
)

// An older schema has stored numbers that a fleet must not grow to.
func TestTheRangeIsBounded(t *testing.T) {
	type size struct{ Min, Max, Before int }
	cases := map[string]struct {
		minReplicas, maxReplicas, desired int32
		want                              size
	}{
		"within the bound":    {3, v1alpha1.MostReplicas - 1, 7, size{3, v1alpha1.MostReplicas - 1, 7}},
		"at the bound":        {v1alpha1.MostReplicas, v1alpha1.MostReplicas, v1alpha1.MostReplicas, size{v1alpha1.MostReplicas, v1alpha1.MostReplicas, v1alpha1.MostReplicas}},
		"beyond it":           {v1alpha1.MostReplicas + 1, v1alpha1.MostReplicas + 1, v1alpha1.MostReplicas + 1, size{v1alpha1.MostReplicas, v1alpha1.MostReplicas, v1alpha1.MostReplicas}},
		"as large as can be":  {math.MaxInt32, math.MaxInt32, math.MaxInt32, size{v1alpha1.MostReplicas, v1alpha1.MostReplicas, v1alpha1.MostReplicas}},
		"only the most is so": {0, math.MaxInt32, 0, size{0, v1alpha1.MostReplicas, 0}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			qw := &v1alpha1.QWorker{}
			qw.Spec.ScaleConfig.MinReplicas, qw.Spec.ScaleConfig.MaxReplicas = c.minReplicas, c.maxReplicas
			o := &observation{qw: qw, status: &v1alpha1.QWorkerStatus{DesiredReplicas: c.desired}}
			in := o.scalingInput(backlog.Reading{}, nil, o.before(), 0, scaling.Memory{})
			if diff := cmp.Diff(c.want, size{in.Scale.Min, in.Scale.Max, in.Before}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if one := big.NewRat(1, 1); in.Scale.PerMessage.Cmp(one) != 0 {
				t.Errorf("a message needs %s workers, want 1", in.Scale.PerMessage)
			}
		})
	}
}
