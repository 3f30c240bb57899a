package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListIsUpToDate: what each mutant replaces is in its file, once, so that a change
// of the code that makes a mutant stale is noticed before `make mutants` is run again.
func TestListIsUpToDate(t *testing.T) {
	mutants, err := parse("list.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) == 0 {
		t.Fatal("the list is empty")
	}
	for _, m := range mutants {
		text, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.gone); n != 1 || m.gone == m.come {
			t.Errorf("%s: what it replaces is in %s %d times", m.name, m.file, n)
		}
	}
}
