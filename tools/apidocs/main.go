// Command apidocs writes the API's reference from the generated CRDs: one table a kind, a line a field,
// with the defaults and rules that the API server applies. What it says is therefore what is enforced.
//
//	apidocs DIRECTORY >docs/reference/api.md
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const preamble = `# API reference

<!-- Generated from config/crd/bases by tools/apidocs; run "make generate". -->

Both kinds are namespaced. An object that breaks a rule below is refused by the API server, with the
rule's sentence as the message; there is no webhook.
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: apidocs DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}

func write(out io.Writer, directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return err
	}
	fmt.Fprint(out, preamble)
	for _, file := range files {
		manifest, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var crd apiextensions.CustomResourceDefinition
		if err := yaml.Unmarshal(manifest, &crd); err != nil {
			return fmt.Errorf("%s, %w", file, err)
		}
		writeKind(out, crd.Spec)
	}
	return nil
}

func writeKind(out io.Writer, crd apiextensions.CustomResourceDefinitionSpec) {
	for _, version := range crd.Versions {
		schema := version.Schema.OpenAPIV3Schema
		fmt.Fprintf(out, "\n## %s\n\n", crd.Names.Kind)
		fmt.Fprintf(out, "`apiVersion: %s/%s`, short name `%s`. %s\n", crd.Group, version.Name, strings.Join(crd.Names.ShortNames, "`, `"), oneLine(schema.Description))
		for _, part := range []string{"spec", "status"} {
			fmt.Fprintf(out, "\n### %s of a %s\n\n", part, crd.Names.Kind)
			fmt.Fprint(out, "| field | type | default | meaning |\n|---|---|---|---|\n")
			writeFields(out, part, schema.Properties[part], part == "spec")
		}
	}
}

// writeFields writes a line for each field below path, those that must be given first.
func writeFields(out io.Writer, path string, schema apiextensions.JSONSchemaProps, users bool) {
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		if !slices.Contains(schema.Required, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range append(slices.Sorted(slices.Values(schema.Required)), names...) {
		field := schema.Properties[name]
		fallback := ""
		switch {
		case field.Default != nil:
			fallback = "`" + string(field.Default.Raw) + "`"
		case users && slices.Contains(schema.Required, name):
			fallback = "**required**"
		}
		fmt.Fprintf(out, "| `%s.%s` | %s | %s | %s |\n", path, name, typeName(field), fallback, meaning(field))
		if !foreign(name) {
			writeFields(out, path+"."+name, field, users)
		}
	}
}

// foreign says whether a field is of a type that Kubernetes documents.
func foreign(name string) bool { return name == "podSpec" || name == "conditions" }

func typeName(field apiextensions.JSONSchemaProps) string {
	switch {
	case !field.XIntOrString && field.Type == "" && field.Pattern != "":
		return "quantity"
	case field.XIntOrString:
		return "integer or string"
	case field.Type == "array":
		return "list"
	case field.Format == "date-time":
		return "time"
	case field.AdditionalProperties != nil:
		return "map of strings"
	default:
		return field.Type
	}
}

// meaning is a field's description and the rules on it that the description need not repeat.
func meaning(field apiextensions.JSONSchemaProps) string {
	sentences := []string{oneLine(field.Description)}
	if len(field.Enum) > 0 {
		values := make([]string, 0, len(field.Enum))
		for _, value := range field.Enum {
			values = append(values, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		sentences = append(sentences, "One of "+strings.Join(values, ", ")+".")
	}
	for _, rule := range field.XValidations {
		sentences = append(sentences, "Rule: *"+oneLine(rule.Message)+"*.")
	}
	return strings.Join(sentences, " ")
}

// oneLine makes text fit into a cell of a table.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
