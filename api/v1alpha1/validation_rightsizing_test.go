package v1alpha1_test

var rightSizingCases = map[string]validationCase{
	"right-sizing empty":                   {path: "spec.rightSizing", value: `{}`},
	"right-sizing with everything":         {path: "spec.rightSizing", value: `{mode: Initial, minAllowed: {worker: {cpu: 100m, memory: 64Mi}, "*": {cpu: "0.5"}}, maxAllowed: {worker: {cpu: 2, memory: 4Gi}}, controlledResources: [cpu, memory], controlledValues: RequestsOnly, headroomPercent: 0}`},
	"right-sizing mode unknown":            {path: "spec.rightSizing.mode", value: `Auto`, want: `spec.rightSizing.mode: Unsupported value: "Auto": supported values: "Off", "Initial", "InPlace"`},
	"right-sizing min equal to max":        {path: "spec.rightSizing", value: `{minAllowed: {"*": {memory: 1Gi}}, maxAllowed: {"*": {memory: 1024Mi}}}`},
	"right-sizing a resource of no use":    {path: "spec.rightSizing.minAllowed", value: `{w: {nvidia.com/gpu: 1}}`, want: `QWorker in version "v1alpha1" cannot be handled as a QWorker: strict decoding error: unknown field "spec.rightSizing.minAllowed.w.nvidia.com/gpu"`},
	"right-sizing a maximum of nothing":    {path: "spec.rightSizing.maxAllowed", value: `{w: {cpu: 0}}`, want: `spec.rightSizing.maxAllowed.w.cpu: Invalid value: 0: spec.rightSizing.maxAllowed.w.cpu in body should be greater than 0`},
	"right-sizing with unquoted fractions": {path: "spec.rightSizing", value: `{minAllowed: {w: {cpu: 0.25}}, maxAllowed: {w: {cpu: 0.5, memory: 1073741824}}}`},
	"right-sizing a minimum below 0":       {path: "spec.rightSizing.minAllowed", value: `{w: {cpu: "-1"}}`, want: `spec.rightSizing.minAllowed.w.cpu: Invalid value: "-1": ` + notAbove0("spec.rightSizing.minAllowed.w.cpu")},
	"right-sizing a maximum of no number":  {path: "spec.rightSizing.maxAllowed", value: `{w: {cpu: much}}`, want: `spec.rightSizing.maxAllowed.w.cpu: Invalid value: "much": ` + notAbove0("spec.rightSizing.maxAllowed.w.cpu")},
	"right-sizing of a disk":               {path: "spec.rightSizing.controlledResources", value: `[storage]`, want: `spec.rightSizing.controlledResources[0]: Unsupported value: "storage": supported values: "cpu", "memory"`},
	"right-sizing of nothing":              {path: "spec.rightSizing.controlledResources", value: `[]`, want: `spec.rightSizing.controlledResources: Invalid value: 0: spec.rightSizing.controlledResources in body should have at least 1 items`},
	"right-sizing of limits alone":         {path: "spec.rightSizing.controlledValues", value: `LimitsOnly`, want: `spec.rightSizing.controlledValues: Unsupported value: "LimitsOnly": supported values: "RequestsAndLimits", "RequestsOnly"`},
	"right-sizing below the usage":         {path: "spec.rightSizing.headroomPercent", value: `-1`, want: `spec.rightSizing.headroomPercent: Invalid value: -1: spec.rightSizing.headroomPercent in body should be greater than or equal to 0`},
	"right-sizing far above the usage":     {path: "spec.rightSizing.headroomPercent", value: `401`, want: `spec.rightSizing.headroomPercent: Invalid value: 401: spec.rightSizing.headroomPercent in body should be less than or equal to 400`},
}
