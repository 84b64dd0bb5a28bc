// Package argohealth_test runs the health checks that QScaler ships for Argo CD, by the interpreter that Argo CD uses.
package argohealth_test

import (
	"os"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

func TestHealthOfAQWorker(t *testing.T) {
	const idle = `{type: Ready, status: "True", reason: Idle, message: m}`
	check(t, "QWorker", map[string]answer{
		`{}`:                       {"Progressing", "QScaler has yet to look at this version"},
		`{observedGeneration: -1}`: {"Progressing", "QScaler has yet to look at this version"},
		`{observedGeneration: 1, conditions: [` + idle + `]}`:                                                                          {"Progressing", "QScaler has yet to look at this version"},
		`{observedGeneration: 2}`:                                                                                                      {"Progressing", "QScaler has yet to look at this version"},
		`{observedGeneration: 2, conditions: [` + idle + `]}`:                                                                          {"Healthy", "Idle: m"},
		`{observedGeneration: 2, conditions: [{type: Ready, status: "False", reason: ScalingUp, message: m}]}`:                         {"Progressing", "ScalingUp: m"},
		`{observedGeneration: 2, conditions: [{type: Ready, status: Unknown, reason: NotReadYet, message: m}]}`:                        {"Progressing", "NotReadYet: m"},
		`{observedGeneration: 2, conditions: [{type: Ready, status: "False", reason: Deleting, message: m}]}`:                          {"Progressing", "Deleting: m"},
		`{observedGeneration: 2, conditions: [{type: Ready, status: "False", reason: BackOff, message: m}]}`:                           {"Degraded", "BackOff: m"},
		`{observedGeneration: 2, conditions: [{type: Ready, status: "False", reason: Timeout}]}`:                                       {"Degraded", "Timeout: "},
		`{observedGeneration: 2, conditions: [` + idle + `, {type: Stalled, status: "True", reason: CanaryRefused, message: m}]}`:      {"Degraded", "CanaryRefused: m"},
		`{observedGeneration: 2, conditions: [` + idle + `, {type: Stalled, status: "False", reason: Old}]}`:                           {"Healthy", "Idle: m"},
		`{observedGeneration: 2, conditions: [` + idle + `, {type: Reconciling, status: "True", reason: RollingOut, message: m}]}`:     {"Progressing", "RollingOut: m"},
		`{observedGeneration: 2, conditions: [` + idle + `, {type: Progressing, status: Unknown, reason: RolloutPaused, message: m}]}`: {"Suspended", "RolloutPaused: m"},
	})
}

func TestHealthOfAScalerConfig(t *testing.T) {
	check(t, "ScalerConfig", map[string]answer{
		`{observedGeneration: -1}`: {"Progressing", "QScaler has yet to look at this version"},
		`{observedGeneration: 2}`:  {"Progressing", "QScaler has yet to ask the broker"},
		`{observedGeneration: 2, conditions: [{type: Pushes, status: "False", reason: Polled}, {type: Healthy, status: "True", reason: Answers, message: m}]}`: {"Healthy", "Answers: m"},
		`{observedGeneration: 2, conditions: [{type: Healthy, status: "False", reason: Timeout, message: m}]}`:                                                 {"Degraded", "Timeout: m"},
		`{observedGeneration: 2, conditions: [{type: Healthy, status: Unknown, reason: NotTriedYet, message: m}]}`:                                             {"Progressing", "NotTriedYet: m"},
	})
}

// answer is what Argo CD is told.
type answer struct{ status, message string }

// check judges objects of generation 2, by their statuses.
func check(t *testing.T, kind string, cases map[string]answer) {
	script := scriptFor(t, kind)
	for status, want := range cases {
		t.Run(status, func(t *testing.T) {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(`{metadata: {generation: 2}, status: `+status+`}`), &object); err != nil {
				t.Fatal(err)
			}
			if got := judge(t, script, object); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// scriptFor is the health check of a kind, as it is shipped.
func scriptFor(t *testing.T, kind string) string {
	t.Helper()
	manifest, err := os.ReadFile("../../config/argocd/argocd-cm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configMap struct{ Data map[string]string }
	if err := yaml.Unmarshal(manifest, &configMap); err != nil {
		t.Fatal(err)
	}
	return configMap.Data["resource.customizations.health.quickube.com_"+kind]
}

// judge runs a script with the libraries that Argo CD gives to such scripts.
func judge(t *testing.T, script string, object map[string]any) answer {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	state.SetGlobal("obj", valueOf(state, object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s", state.Get(-1))
	}
	return answer{lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))}
}

// valueOf is a value of JSON as Lua has it.
func valueOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.NewTable()
		for _, item := range value {
			list.Append(valueOf(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for name, item := range value {
			table.RawSetString(name, valueOf(state, item))
		}
		return table
	}
	return lua.LNil
}
