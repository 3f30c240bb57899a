// Command mutants asks whether the tests bite. It copies the repository, plants one
// bug of a list at a time in the copy, runs the tests that must notice, and fails if
// they do not. A bug that is no longer found where the list has it fails as well.
//
//	go run ./scripts/mutants [-only B01,R05]
//
// The list is list.txt beside this file. A mutant is a line
//
//	@ name file package pattern-of-tests
//
// and behind it lines of the file, with "-" before each that goes and "+" before each
// that comes in their place. The lines that go must be in the file once.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mutant is one bug.
type mutant struct {
	name, file, pkg, tests string
	gone, come             string
}

func main() {
	only := flag.String("only", "", "names, separated by commas; all of them if empty")
	list := flag.String("list", "scripts/mutants/list.txt", "the mutants")
	flag.Parse()
	if err := run(*list, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(list, only string) (err error) {
	mutants, err := parse(list)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copying := exec.Command("sh", "-c", `git ls-files -z | xargs -0 cp --parents -t "$0"`, dir)
	if out, err := copying.CombinedOutput(); err != nil {
		return fmt.Errorf("copy: %w\n%s", err, out)
	}
	wanted := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	tried := 0
	var failed []string
	for i := range mutants {
		m := &mutants[i]
		if len(wanted) > 0 && !slices.Contains(wanted, m.name) {
			continue
		}
		tried++
		began := time.Now()
		verdict := "caught"
		if err := m.try(dir); err != nil {
			verdict = err.Error()
			failed = append(failed, m.name)
		}
		fmt.Printf("%-6s %-28s %5.1f s  %s\n", m.name, m.file, time.Since(began).Seconds(), verdict)
	}
	if len(failed) > 0 || tried == 0 {
		return fmt.Errorf("%d of %d were not caught: %v", len(failed), tried, failed)
	}
	fmt.Printf("all of %d mutants were caught\n", tried)
	return nil
}

// try plants a mutant, runs its tests and takes it out again. It returns nil if the
// tests fail.
func (m *mutant) try(dir string) error {
	path := filepath.Join(dir, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), m.gone); n != 1 {
		return fmt.Errorf("STALE: what it replaces is in the file %d times", n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), m.gone, m.come, 1)), 0o644); err != nil {
		return err
	}
	test := exec.Command("go", "test", "-count=1", "-timeout", "90s", "-run", m.tests, m.pkg)
	test.Dir = dir
	out, testErr := test.CombinedOutput()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	switch {
	case strings.Contains(string(out), "[build failed]"), strings.Contains(string(out), "[setup failed]"):
		return fmt.Errorf("DOES NOT BUILD:\n%s", out)
	case strings.Contains(string(out), "no tests to run"):
		return errors.New("NO SUCH TESTS")
	case testErr == nil:
		return errors.New("SURVIVED")
	}
	return nil
}

// parse reads the list.
func parse(path string) ([]mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []mutant
	for n, line := range strings.Split(string(text), "\n") {
		var last *mutant
		if len(list) > 0 {
			last = &list[len(list)-1]
		}
		switch {
		case line == "", line[0] == '#':
		case line[0] == '@':
			words := strings.Fields(line[1:])
			if len(words) != 4 {
				return nil, fmt.Errorf("%s:%d: name, file, package and tests are wanted", path, n+1)
			}
			list = append(list, mutant{name: words[0], file: words[1], pkg: words[2], tests: words[3]})
		case line[0] == '-' && last != nil:
			last.gone += line[1:] + "\n"
		case line[0] == '+' && last != nil:
			last.come += line[1:] + "\n"
		default:
			return nil, fmt.Errorf("%s:%d: %q", path, n+1, line)
		}
	}
	return list, nil
}
