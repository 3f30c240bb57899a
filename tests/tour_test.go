package tests

import (
	"os"
	"regexp"
	"testing"
)

// TestCodeTour: the files and functions that docs/code-tour.md leads through exist.
func TestCodeTour(t *testing.T) {
	text, err := os.ReadFile("../docs/code-tour.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile("`([a-z/_]+\\.go)(?::\\s(\\w+))?`").FindAllStringSubmatch(string(text), -1)
	if len(steps) < 30 {
		t.Errorf("only %d steps were found: is this the right page?", len(steps))
	}
	for _, step := range steps {
		file, function := step[1], step[2]
		code, err := os.ReadFile("../" + file)
		if err != nil {
			t.Errorf("%s: %v", step[0], err)
			continue
		}
		declared := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + function + `\(`)
		if function != "" && !declared.Match(code) {
			t.Errorf("%s: there is no function %s in %s", step[0], function, file)
		}
	}
}
