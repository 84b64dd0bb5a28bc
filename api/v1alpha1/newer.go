package v1alpha1

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	kjson "sigs.k8s.io/json"
)

// MaxNewerFields is how many fields that are not known are found at most: with so many there may be more.
const MaxNewerFields = 100

// NewerField is a field of a pod spec that the types of this program do not have: of a newer Kubernetes, or a slip of
// the pen. Which one it is, only the API server can tell.
type NewerField struct {
	// Of is the part of the pod spec that has it, such as containers[0], "" for the pod spec itself.
	Of   string `json:"of,omitempty"`
	Name string `json:"name"`
	// Value is JSON, with the names of objects in order.
	Value string `json:"value"`
}

// SplitPodSpec is a pod spec as its fields that this program knows, and the others.
func SplitPodSpec(data []byte) (corev1.PodSpec, []NewerField, error) {
	var spec corev1.PodSpec
	strict, err := kjson.UnmarshalStrict(data, &spec, kjson.DisallowUnknownFields)
	if err != nil || len(strict) == 0 {
		return spec, nil, err
	}
	newer, err := newerFields(data, strict, "")
	return spec, newer, err
}

// JoinPodSpec is the other way round.
func JoinPodSpec(spec *corev1.PodSpec, newer []NewerField) ([]byte, error) {
	data, err := json.Marshal(spec)
	if err != nil || len(newer) == 0 {
		return data, err
	}
	var fields map[string]any
	if err := utiljson.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if err := AddNewer(fields, newer); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// AddNewer adds fields to a pod spec.
func AddNewer(podSpec map[string]any, newer []NewerField) error {
	for _, field := range newer {
		var value any
		if err := utiljson.Unmarshal([]byte(field.Value), &value); err != nil {
			return fmt.Errorf("the field %s of podSpec, %w", field.Name, err)
		}
		part, found := partOf(podSpec, field.Of)
		if !found {
			return fmt.Errorf("podSpec has no %s, which has the field %s", field.Of, field.Name)
		}
		part[field.Name] = value
	}
	return nil
}

// UnmarshalJSON keeps the fields of podSpec that this program does not know.
func (s *QWorkerSpec) UnmarshalJSON(data []byte) error {
	type plain QWorkerSpec
	strict, err := kjson.UnmarshalStrict(data, (*plain)(s), kjson.DisallowUnknownFields)
	if s.Newer = nil; err != nil || len(strict) == 0 {
		return err
	}
	s.Newer, err = newerFields(data, strict, "podSpec.")
	return err
}

// MarshalJSON writes them in their places.
func (s QWorkerSpec) MarshalJSON() ([]byte, error) {
	type plain QWorkerSpec
	data, err := json.Marshal(plain(s))
	if err != nil || len(s.Newer) == 0 {
		return data, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	if fields["podSpec"], err = JoinPodSpec(&s.PodSpec, s.Newer); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// newerFields are those that a strict reading has complained of, below a prefix.
func newerFields(data []byte, strict []error, prefix string) ([]NewerField, error) {
	var fields map[string]any
	if err := utiljson.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	var newer []NewerField
	for _, complaint := range strict {
		var field kjson.FieldError
		if !errors.As(complaint, &field) {
			continue
		}
		if !strings.HasPrefix(field.FieldPath(), prefix) {
			continue
		}
		of, name, value := find(fields, field.FieldPath())
		if value == nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		of = strings.TrimPrefix(strings.TrimPrefix(of, strings.TrimSuffix(prefix, ".")), ".")
		newer = append(newer, NewerField{Of: of, Name: name, Value: string(text)})
	}
	slices.SortFunc(newer, func(a, b NewerField) int { return cmp.Or(strings.Compare(a.Of, b.Of), strings.Compare(a.Name, b.Name)) })
	return newer, nil
}

// find is the value of the field at a path, such as containers[0].newer, nil where there is none, and what has the field.
// The name of a field may itself have a dot or a bracket: a field that is not known ends the path, and where an object
// has the rest of the path as a name, that is it.
func find(fields map[string]any, path string) (of, name string, value any) {
	var here any = fields
	rest := path
	for {
		if object, ok := here.(map[string]any); ok {
			if value, found := object[rest]; found {
				return strings.TrimSuffix(strings.TrimSuffix(path, rest), "."), rest, value
			}
		}
		step, after := next(rest)
		if here = child(here, step, false); here == nil || after == "" {
			return "", "", nil
		}
		rest = after
	}
}

// partOf is the object at a path. Objects that are missing are made, items of lists are not.
func partOf(fields map[string]any, path string) (part map[string]any, found bool) {
	var here any = fields
	for path != "" {
		var step string
		step, path = next(path)
		here = child(here, step, true)
	}
	part, found = here.(map[string]any)
	return part, found
}

// next is the first step of a path and the rest.
func next(path string) (step, rest string) {
	if index, ok := strings.CutPrefix(path, "["); ok {
		step, rest, _ = strings.Cut(index, "]")
		return step, strings.TrimPrefix(rest, ".")
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// child is what an object has under a name, or a list at an index, nil for none.
func child(of any, step string, create bool) any {
	switch of := of.(type) {
	case map[string]any:
		if of[step] == nil && create {
			of[step] = map[string]any{}
		}
		return of[step]
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(of) {
			return of[i]
		}
	}
	return nil
}
