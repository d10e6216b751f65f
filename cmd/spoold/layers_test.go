package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mayImport is the import table of doc/architecture.md: a package may import those
// named and their sub-packages. A package that is not in the table fails the test, so
// that a new folder is a decision and not an accident.
var mayImport = map[string][]string{
	"spool":               {},
	"mboxstore":           {"spool"},
	"mboxstore/mboxtest":  {"mboxstore", "spool"},
	"mboxstore/archive":   {"mboxstore"},
	"backend/wire":        {},
	"backend/wire/strict": {},
	"backend/mime":        {"backend/wire"},
	"backend/search":      {"mboxstore", "backend/mime"},
	"backend/sortthread":  {},
	"backend/annotation":  {"spool"},
	"backend/session":     {"backend/annotation", "backend/wire", "backend/mime", "backend/search", "mboxstore"},
	"backend/inflate":     {},
	"backend/imapconn":    {"backend/wire", "backend/inflate"},
	"backend/command": {
		"backend/annotation", "backend/session", "backend/wire", "backend/imapconn", "backend/mime",
		"backend/search", "backend/sortthread", "mboxstore",
	},
	"backend/worker": {
		"backend/annotation", "backend/wire", "backend/mime", "backend/search", "backend/sortthread", "backend/session",
		"backend/imapconn", "backend/command", "backend/privsep", "mboxstore", "spool",
	},
	"backend/privsep": {},
	"backend/auth":    {"backend/privsep"},
	"backend/login":   {"backend/wire", "backend/privsep"},
	"cmd/spoold":      {"backend", "mboxstore", "spool"},
	"spool/faultfs":   {"spool"},
}

// neverLinked names modules that must not be in a package's closure, however indirectly.
var neverLinked = map[string][]string{
	"spool":           {"github.com/emersion/go-imap"},
	"mboxstore":       {"github.com/emersion/go-imap"},
	"backend/wire":    {"github.com/emersion/go-imap"},
	"backend/mime":    {"github.com/emersion/go-imap"},
	"backend/login":   {"github.com/emersion/go-imap", "spoold/spool", "spoold/mboxstore", "spoold/backend/session"},
	"backend/privsep": {"github.com/emersion/go-imap", "spoold/spool", "spoold/mboxstore"},
	"backend/auth":    {"github.com/emersion/go-imap", "spoold/spool", "spoold/mboxstore"},
}

// forTests are packages that no product code may import.
var forTests = []string{"spool/faultfs", "mboxstore/mboxtest", "backend/wire/strict"}

// topLevel is what the checkout's root holds besides dot-files.
var topLevel = []string{
	"LICENSE", "Makefile", "README.md", "backend", "cmd", "go.mod", "go.sum", "mboxstore", "spool", "testdata",
}

// madeByMake may be there after a build and is not part of the tree (.gitignore).
var madeByMake = []string{"bin", "cover.out", "cover.html"}

const (
	maxFileLines     = 600
	maxFunctionLines = 60
)

// longFunctions may be longer than maxFunctionLines because each is one flat switch or table.
var longFunctions = []string{}

const module = "spoold/"

// goPackage is what `go list -json` says of one package, as far as we look.
type goPackage struct {
	ImportPath    string
	Imports, Deps []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// root is the checkout: tests run in their package's folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportTable(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s is not in the import table", name)
			continue
		}
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module)
			if ok && (!covered(allowed, ours) || covered(forTests, ours) && !covered(forTests, name)) {
				t.Errorf("%s imports %s", name, ours)
			}
		}
		for _, dep := range p.Deps {
			if covered(neverLinked[name], dep) {
				t.Errorf("%s links %s", name, dep)
			}
		}
	}
}

// covered says whether path is one of these or below one of them.
func covered(prefixes []string, path string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/")
	})
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(madeByMake, e.Name()) {
			got = append(got, e.Name())
		}
	}
	if diff := cmp.Diff(topLevel, got); diff != "" {
		t.Errorf("entries of the checkout (-want +got):\n%s", diff)
	}
}

// length is a file or function and how many lines it has.
type length struct {
	name  string
	lines int
}

func TestLengths(t *testing.T) {
	files, functions := sourceLengths(t, root(t))
	for _, f := range files {
		if f.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", f.name, f.lines, maxFileLines)
		}
	}
	for _, f := range functions {
		if f.lines > maxFunctionLines && !slices.Contains(longFunctions, f.name) {
			t.Errorf("%s has %d lines, more than %d", f.name, f.lines, maxFunctionLines)
		}
	}
	for _, name := range longFunctions {
		if !slices.ContainsFunc(functions, func(l length) bool { return l.name == name && l.lines > maxFunctionLines }) {
			t.Errorf("%s needs no exception any more", name)
		}
	}
	t.Logf("longest files:\n%s", longest(files))
	t.Logf("longest functions (median %d):\n%s", median(functions), longest(functions))
}

// sourceLengths measures every Go file below dir that ships.
func sourceLengths(t *testing.T, dir string) (files, functions []length) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || path != dir && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files = append(files, length{rel, fset.File(file.FileStart).LineCount()})
		functions = append(functions, functionLengths(fset, file, rel)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 || len(functions) == 0 {
		t.Fatalf("no Go files below %s", dir)
	}
	return files, functions
}

func functionLengths(fset *token.FileSet, file *ast.File, rel string) []length {
	var out []length
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		from, to := fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
		out = append(out, length{filepath.Dir(rel) + "." + fn.Name.Name, to - from + 1})
	}
	return out
}

// longest formats the ten longest.
func longest(all []length) string {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b length) int { return b.lines - a.lines })
	var s strings.Builder
	for _, l := range sorted[:min(10, len(sorted))] {
		fmt.Fprintf(&s, "%5d %s\n", l.lines, l.name)
	}
	return s.String()
}

func median(all []length) int {
	lines := make([]int, len(all))
	for i, l := range all {
		lines[i] = l.lines
	}
	slices.Sort(lines)
	return lines[len(lines)/2]
}
