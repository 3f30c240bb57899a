package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// The steps of a failing run, in full, in a file: a seed alone does not bring all of
// them back, because what a server DUMPs of a large set or hash depends on its data
// directory. A line is a step
//
//	connection glued loose "argument" "argument" ...
//
// and the first line is the protocol. Lines that begin with # are remarks.

// steplist is the last steps as text for the log, in which they are cut, but for the
// very last; and the name of a file that has all of them, of which BITKV_DIFF_STEPS
// makes a run.
func steplist(t *testing.T, steps []diffStep, proto int, remark string) string {
	t.Helper()
	var out strings.Builder
	for i, s := range steps[max(0, len(steps)-40):] {
		line := s.String()
		if len(line) > 300 && i < min(len(steps), 40)-1 {
			line = line[:300] + "..."
		}
		fmt.Fprintf(&out, "    %s\n", line)
	}
	f, err := os.CreateTemp("", "bitkv-diff-*.steps")
	if err != nil {
		t.Errorf("the steps are lost: %v", err)
		return out.String()
	}
	_, err = f.WriteString(formatSteps(steps, proto, remark))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Errorf("the steps are lost: %v", err)
	}
	fmt.Fprintf(&out, "and in full in %s\n", f.Name())
	return out.String()
}

func formatSteps(steps []diffStep, proto int, remark string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d\n", proto)
	for line := range strings.Lines(remark) {
		fmt.Fprintf(&out, "# %s\n", strings.TrimSpace(line))
	}
	for _, s := range steps {
		fmt.Fprintf(&out, "%d %t %t", s.conn, s.glued, s.loose)
		for _, arg := range s.args {
			fmt.Fprintf(&out, " %q", arg)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// parseSteps undoes formatSteps.
func parseSteps(text string) (steps []diffStep, proto int, err error) {
	number := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch number++; {
		case number == 1:
			proto, err = strconv.Atoi(line)
		case line != "" && line[0] != '#':
			var s diffStep
			s, err = parseStep(line)
			steps = append(steps, s)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return steps, proto, nil
}

func parseStep(line string) (s diffStep, err error) {
	if _, err := fmt.Sscanf(line, "%d %t %t", &s.conn, &s.glued, &s.loose); err != nil {
		return s, err
	}
	for rest := line[max(strings.IndexByte(line, '"'), 0):]; rest != ""; rest = strings.TrimPrefix(rest, " ") {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return s, fmt.Errorf("%w: %.40s", err, rest)
		}
		arg, err := strconv.Unquote(quoted)
		if err != nil {
			return s, err
		}
		s.args, rest = append(s.args, arg), rest[len(quoted):]
	}
	return s, nil
}

// replay plays the steps of a file.
func (p *pair) replay(path string) {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		p.t.Fatal(err)
	}
	steps, proto, err := parseSteps(string(text))
	if err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	d := p.runSession(steps, proto)
	if d == nil {
		d = p.restartAndCompare(len(steps))
	}
	if d != nil {
		p.t.Errorf("step %d of %d: %s\ngot:  %s\nwant: %s", d.at+1, len(steps), d.what, d.got, d.want)
	}
	p.revive()
}

func TestSteps(t *testing.T) {
	want := []diffStep{
		{conn: 2, args: []string{"SET", "", "a \"b\"\n\x00\xff # é"}},
		{args: []string{"SPOP", "k"}, glued: true, loose: true},
	}
	got, proto, err := parseSteps(formatSteps(want, 3, "one\ntwo"))
	if err != nil || proto != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v of protocol %d, %v; want %v", got, proto, err, want)
	}
	for _, text := range []string{"x\n", "2\n0 true\n", "2\n0 true false \"a\n", "2\n0 true false \"a\" b\n"} {
		if got, _, err := parseSteps(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
