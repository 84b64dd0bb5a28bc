package controlplane

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A bare machine compiles the product first, then the control plane: every package in which the two differ, and
// all that import it, would be compiled twice.
func TestTheControlPlaneIsBuiltOfTheProductsVersions(t *testing.T) {
	product := versions(t, "../../go.mod")
	shared := 0
	for module, version := range versions(t, "build/controlplane.mod") {
		want, ok := product[module]
		if !ok {
			continue
		}
		shared++
		if version != want {
			t.Errorf("%s: the control plane is built of %s, the product of %s; make them one", module, version, want)
		}
	}
	if shared < 30 {
		t.Errorf("they share %d modules: is one of the files read wrongly?", shared)
	}
}

func TestTheControlPlaneIsCompiledAsTheProductIs(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"LEAN := " + CompilerFlags, "go build $(LEAN)"} {
		if !strings.Contains(string(makefile), line+"\n") {
			t.Errorf("the Makefile has no %q", line)
		}
	}
}

// versions are the versions that a go.mod file names, as it replaces them.
func versions(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	type module struct{ Path, Version string }
	var mod struct {
		Require []module
		Replace []struct{ Old, New module }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, m := range mod.Require {
		found[m.Path] = m.Version
	}
	for _, r := range mod.Replace {
		found[r.Old.Path] = r.New.Version
	}
	return found
}
