package metrics

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// row is one metric, as a registry sees it.
type row struct {
	Metric

	// set makes one series, with these values of the labels; forget removes those of an object.
	set    func(values ...string)
	forget func(object ...string)
}

// registered has the whole table, by the name of its function, in one registry.
func registered(r Registerer) map[string]row {
	gauge := func(g Gauge) row {
		v := g.Register(r)
		return row{Metric(g), func(l ...string) { v.WithLabelValues(l...).Set(1) }, func(o ...string) { g.Forget(v, o...) }}
	}
	counter := func(c Counter) row {
		v := c.Register(r)
		return row{Metric(c), func(l ...string) { v.WithLabelValues(l...).Inc() }, func(o ...string) { c.Forget(v, o...) }}
	}
	duration := BrokerReadDuration()
	reads := duration.Register(r)
	BrokerUp().RegisterFunc(r, func() map[string]float64 { return map[string]float64{"ns/config": 1} })
	BrokerUnservedLists().RegisterFunc(r, func() map[string]float64 { return map[string]float64{"ns/config": 1} })
	NamespaceReadable().RegisterFunc(r, func() map[string]float64 { return map[string]float64{"ns": 1} })
	QWorkerOldestMessageAge().RegisterSeries(r, func(show func(float64, ...string)) { show(1, "ns", "qworker") })
	return map[string]row{
		"QWorkerReplicas":            gauge(QWorkerReplicas()),
		"QWorkerMessages":            gauge(QWorkerMessages()),
		"QWorkerOldestMessageAge":    {Metric: Metric(QWorkerOldestMessageAge())},
		"QWorkerUnknownHolderTasks":  gauge(QWorkerUnknownHolderTasks()),
		"QWorkerActions":             counter(QWorkerActions()),
		"QWorkerRecommendedRequests": gauge(QWorkerRecommendedRequests()),
		"QWorkerOutOfMemoryKills":    counter(QWorkerOutOfMemoryKills()),
		"QWorkerResizes":             counter(QWorkerResizes()),
		"BrokerReadDuration":         {Metric: duration.Metric, set: func(l ...string) { reads.WithLabelValues(l...).Observe(1) }},
		"BrokerRings":                counter(BrokerRings()),
		"BrokerUp":                   {Metric: Metric(BrokerUp())},
		"BrokerUnservedLists":        {Metric: Metric(BrokerUnservedLists())},
		"NamespaceReadable":          {Metric: Metric(NamespaceReadable())},
	}
}

// objects are the labels that name something that comes and goes.
var objects = []string{"namespace", "qworker", "container", "source"}

func TestTheTableKeepsToPrometheusConventions(t *testing.T) {
	registry := prometheus.NewRegistry()
	rows := registered(registry)
	var names []string
	for _, r := range rows {
		names = append(names, r.Name)
		if !strings.HasPrefix(r.Name, "qscaler_") || !strings.HasSuffix(r.Help, ".") {
			t.Errorf("%s: %q; want the prefix qscaler_, and a full stop at the end of the help", r.Name, r.Help)
		}
		fixed := false
		for _, l := range r.Labels {
			if slices.Contains(objects, l.Name) != (len(l.Values) == 0) {
				t.Errorf("the label %s of %s has the values %q: it names an object, or has a fixed set of values", l.Name, r.Name, l.Values)
			}
			if fixed && len(l.Values) == 0 {
				t.Errorf("the label %s of %s stands behind one with fixed values", l.Name, r.Name)
			}
			fixed = fixed || len(l.Values) > 0
		}
		if r.set != nil {
			each(r.Metric, r.set)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	var gathered []string
	for _, f := range families {
		gathered = append(gathered, f.GetName())
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, gathered); diff != "" {
		t.Errorf("the registry has other metrics (-table +registry):\n%s", diff)
	}
}

// each calls set with every combination of the labels' values, an object being called "x" and "y".
func each(m Metric, set func(values ...string)) {
	for _, object := range []string{"x", "y"} {
		named := m
		named.Labels = slices.Clone(m.Labels)
		for i := range named.Labels {
			if len(named.Labels[i].Values) == 0 {
				named.Labels[i].Values = []string{object}
			}
		}
		named.forget(func(values ...string) bool { set(values...); return true }, nil)
	}
}

func TestForgetRemovesTheSeriesOfOneObject(t *testing.T) {
	for name := range registered(nil) {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			r := registered(registry)[name]
			if r.forget == nil || len(r.Labels) == 0 {
				t.Skip("it has no series of objects")
			}
			each(r.Metric, r.set)
			before := series(t, registry, r.Name)
			var object []string
			for _, l := range r.Labels {
				if len(l.Values) == 0 {
					object = append(object, "x")
				}
			}
			r.forget(object...)
			after := series(t, registry, r.Name)
			if 2*len(after) != len(before) || slices.ContainsFunc(after, func(s string) bool { return strings.Contains(s, `"x"`) }) {
				t.Errorf("of %d series these are left: %v", len(before), after)
			}
		})
	}
}

func series(t *testing.T, registry *prometheus.Registry, name string) (all []string) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			all = append(all, fmt.Sprint(m.GetLabel()))
		}
	}
	return all
}

// Each metric of the table is in the tests' list, and something of the operator registers it.
func TestEachMetricIsUsed(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "table.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	used := registrations(t)
	rows := registered(nil)
	declared := 0
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			continue
		}
		declared++
		if _, listed := rows[f.Name.Name]; !listed {
			t.Errorf("the tests do not know %s", f.Name.Name)
		}
		if !used[f.Name.Name] {
			t.Errorf("nothing registers %s", f.Name.Name)
		}
	}
	if declared != len(rows) {
		t.Errorf("the table has %d metrics, the tests know %d", declared, len(rows))
	}
}

// registrations has the functions of the table of which the operator's code registers the result.
func registrations(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../metrics/") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			method, ok := n.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(method.Sel.Name, "Register") {
				return true
			}
			if call, ok := method.X.(*ast.CallExpr); ok {
				if of, ok := call.Fun.(*ast.SelectorExpr); ok {
					used[of.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}
