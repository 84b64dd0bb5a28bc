package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// measured is what came of one measure, and where it was measured.
type measured struct {
	Measure string   `json:"measure"`
	Machine string   `json:"machine"`
	Commit  string   `json:"commit"`
	Command string   `json:"command"`
	Figures []figure `json:"figures"`
}

const (
	recordedJSON  = "benchmarks.json"
	recordedTable = "benchmarks.md"
)

// record keeps a measure in a folder: in benchmarks.json with every value, and in benchmarks.md as a table
// between the marks of its name. Other measures there stay as they are.
func record(folder string, m measured) error {
	path := filepath.Join(folder, recordedJSON)
	var all []measured
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %s, %w", path, err)
	}
	all = append(slices.DeleteFunc(all, func(old measured) bool { return old.Measure == m.Measure }), m)
	slices.SortFunc(all, func(a, b measured) int { return strings.Compare(a.Measure, b.Measure) })
	if err := writeJSON(path, all); err != nil {
		return err
	}
	return replaceTable(filepath.Join(folder, recordedTable), m)
}

// writeJSON writes a figure a line: a change of one is then a change of one line.
func writeJSON(path string, all []measured) error {
	var b bytes.Buffer
	b.WriteString("[")
	for i, m := range all {
		if i > 0 {
			b.WriteString(",")
		}
		head, err := json.Marshal(measured{Measure: m.Measure, Machine: m.Machine, Commit: m.Commit, Command: m.Command, Figures: []figure{}})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%s", bytes.TrimSuffix(head, []byte("]}")))
		for j, f := range m.Figures {
			line, err := json.Marshal(f.rounded())
			if err != nil {
				return err
			}
			if j > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "\n  %s", line)
		}
		b.WriteString("]}")
	}
	b.WriteString("\n]\n")
	return os.WriteFile(path, b.Bytes(), 0o644) //nolint:gosec // a page of the documentation
}

// rounded is the figure in four digits: more say nothing.
func (f figure) rounded() figure {
	round := func(v float64) float64 {
		short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64) // what was formatted can be parsed
		return short
	}
	f.Ratio = round(f.Ratio)
	f.Values = slices.Clone(f.Values)
	for i, v := range f.Values {
		f.Values[i] = round(v)
	}
	return f
}

var tableTemplate = template.Must(template.New("").Funcs(template.FuncMap{"short": short}).Parse(
	`| figure | n | median | min | p99 | max | unit | of its limit |
|---|---|---|---|---|---|---|---|
{{- range .Figures}}
| {{.Name}} | {{len .Values}} | {{short .Median}} | {{short .Min}} | {{short .P99}} | {{short .Max}} | {{.Unit}} | {{with .Ratio}}x {{printf "%.2f" .}}{{end}} |
{{- end}}

{{.Machine}}. Commit {{.Commit}}. Command: ` + "`{{.Command}}`" + `
`))

// replaceTable puts the measure's table between its marks.
func replaceTable(path string, m measured) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	from, to := fmt.Sprintf("<!-- %s -->\n", m.Measure), fmt.Sprintf("<!-- end of %s -->", m.Measure)
	before, rest, opened := strings.Cut(string(page), from)
	_, after, closed := strings.Cut(rest, to)
	if !opened || !closed {
		return fmt.Errorf("%s has no marks %q and %q to put the table between", path, strings.TrimSpace(from), to)
	}
	var table strings.Builder
	if err := tableTemplate.Execute(&table, m); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+from+table.String()+to+after), 0o644) //nolint:gosec // a page of the documentation
}
