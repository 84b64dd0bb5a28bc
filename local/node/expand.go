package node

import (
	"fmt"
	"strings"
)

// variables is a container's environment: names in the order in which they were set, and their values.
type variables struct {
	names  []string
	values map[string]string
}

func newVariables() *variables { return &variables{values: map[string]string{}} }

func (v *variables) set(name, value string) {
	if _, ok := v.values[name]; !ok {
		v.names = append(v.names, name)
	}
	v.values[name] = value
}

// list is the environment for a process, with values that point into mounts rewritten.
func (v *variables) list(m mounts) []string {
	list := make([]string, 0, len(v.names))
	for _, name := range v.names {
		list = append(list, name+"="+m.rewrite(v.values[name]))
	}
	return list
}

// expandAll expands a command or its arguments; it copies what is not to be expanded.
func (v *variables) expandAll(list []string, expand bool) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		if expand {
			s = v.expand(s)
		}
		out = append(out, s)
	}
	return out
}

// expand replaces $(NAME) by the variable's value, as Kubernetes defines it: $$ is a dollar sign that
// begins no reference, and a reference to a variable that is not set stays as it is.
func (v *variables) expand(s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			s = rest[1:]
		case !strings.HasPrefix(rest, "(") || !closed:
			out.WriteByte('$')
			s = rest
		default:
			if value, ok := v.values[name]; ok {
				out.WriteString(value)
			} else {
				out.WriteString("$(" + name + ")")
			}
			s = after
		}
	}
}

// required turns the absence of a referenced object or key into an error, unless the reference is optional.
func required(optional *bool, kind string, name, key string) error {
	if optional != nil && *optional {
		return nil
	}
	if key == "" {
		return fmt.Errorf("%s %q not found", kind, name)
	}
	return fmt.Errorf("couldn't find key %s in %s %q", key, kind, name)
}
