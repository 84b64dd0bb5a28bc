package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/go/packages"
)

//go:embed switches.go.txt
var switches string

// build compiles the tests of the package in a directory with all its mutants in them, and none of them on. The tree is
// not touched: go build reads the changed files from beside it.
func build(ctx context.Context, dir, work string) (binary string, mutants []Mutant, err error) {
	config := &packages.Config{
		Context: ctx,
		Dir:     dir,
		Mode:    packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo,
	}
	loaded, err := packages.Load(config, ".")
	if err != nil {
		return "", nil, fmt.Errorf("loading the package in %s, %w", dir, err)
	}
	pkg := loaded[0]
	if len(pkg.Errors) > 0 {
		return "", nil, fmt.Errorf("loading the package in %s, %w", dir, pkg.Errors[0])
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	write := func(path string, text []byte) error {
		copied := filepath.Join(work, filepath.Base(path))
		overlay.Replace[path] = copied
		return os.WriteFile(copied, text, 0o600)
	}
	for i, path := range pkg.CompiledGoFiles {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		changed, found := mutate(pkg.Fset, pkg.TypesInfo, pkg.Syntax[i], filepath.Base(path), text, len(mutants)+1)
		mutants = append(mutants, found...)
		if err := write(path, changed); err != nil {
			return "", nil, err
		}
	}
	helper := strings.NewReplacer("PACKAGE", pkg.Name, "COUNT", strconv.Itoa(len(mutants))).Replace(switches)
	if err := write(filepath.Join(dir, "mutant_switches.go"), []byte(helper)); err != nil {
		return "", nil, err
	}
	words, err := json.Marshal(overlay)
	if err != nil {
		return "", nil, err
	}
	overlayFile := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(overlayFile, words, 0o600); err != nil {
		return "", nil, err
	}
	binary = filepath.Join(work, "mutants.test")
	command := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlayFile, "-o", binary, ".")
	command.Dir = dir
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // then it removes what it has written
	command.WaitDelay = 10 * time.Second
	if out, err := command.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("compiling the mutants of %s, %w\n%s", pkg.PkgPath, err, out)
	}
	if _, err := os.Stat(binary); err != nil {
		return "", nil, fmt.Errorf("the package %s has no tests", pkg.PkgPath)
	}
	return binary, mutants, nil
}
