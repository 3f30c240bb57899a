package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bitkv/engine"
	"bitkv/internal/testenv"
)

// progressLine is what a tool says that takes long, which it may on a busy machine.
var progressLine = regexp.MustCompile(`(?m)^[a-z]+: \d+% of .*\n`)

// tool runs a subcommand in this process.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	code = p.run(args)
	return code, out.String(), progressLine.ReplaceAllString(errs.String(), "")
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 100)
	before := dirSum(t, dir)
	if code, out, errs := tool(t, "check", dir); code != 0 || !strings.Contains(out, "100 records") || errs != "" {
		t.Errorf("a good directory: code %d, %q, %q", code, out, errs)
	}
	if dirSum(t, dir) != before {
		t.Error("check changed the directory")
	}
	file := damage(t, dir)
	before = dirSum(t, dir)
	code, out, errs := tool(t, "check", dir)
	if code != 1 || !strings.Contains(out, "damage: "+file) || strings.Count(errs, "\n") != 1 {
		t.Errorf("a damaged directory: code %d, %q, %q", code, out, errs)
	}
	if dirSum(t, dir) != before {
		t.Error("check changed the directory")
	}
}

// What repair leaves opens, and has everything that was not damaged.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 100)
	before := dirSum(t, dir)
	if code, out, errs := tool(t, "repair", dir); code != 0 || errs != "" || dirSum(t, dir) != before {
		t.Errorf("a good directory: code %d, %q, %q", code, out, errs)
	}
	damage(t, dir)
	code, out, errs := tool(t, "repair", dir)
	if code != 0 || errs != "" || !strings.Contains(out, "the damaged files are in ") ||
		!strings.Contains(out, "1 record is lost") || !strings.Contains(out, "warning: keys whose newest record is lost") {
		t.Errorf("a damaged directory: code %d, %q, %q", code, out, errs)
	}
	if code, out, errs := tool(t, "check", dir); code != 0 || errs != "" {
		t.Errorf("after the repair: code %d, %q, %q", code, out, errs)
	}
	db, err := engine.Open(dir, engine.Options{Spaces: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := db.Len(0); n != 99 {
		t.Errorf("%d keys are left of 100, of which one was damaged", n)
	}
}

// After a repair without a file, nothing is said of damaged files put aside.
func TestRepairWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 12)
	remove := func(pattern string) {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %q, %v", pattern, names, err)
		}
		if err := os.Remove(names[0]); err != nil {
			t.Fatal(err)
		}
	}
	remove("*.data")
	_, out, _ := tool(t, "check", dir)
	if !strings.Contains(out, `12 records are lost, of 12 keys: "key:0"`) || !strings.Contains(out, "and 2 more") {
		t.Errorf("check: %q", out)
	}
	remove("*.hint")
	code, out, errs := tool(t, "repair", dir)
	if code != 0 || errs != "" || strings.Contains(out, "the damaged files are in") ||
		!strings.Contains(out, "as they were: MANIFEST\n") {
		t.Errorf("repair: code %d, %q, %q", code, out, errs)
	}
}

func TestDump(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 3)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range files {
		switch ext := filepath.Ext(f.Name()); {
		case ext == ".data", ext == ".hint", f.Name() == "MANIFEST", f.Name() == "SYNCED", f.Name() == "RESERVE", f.Name() == "LOCK":
			code, out, errs := tool(t, "dump", filepath.Join(dir, f.Name()))
			if code != 0 || out == "" || errs != "" {
				t.Errorf("%s: code %d, %q, %q", f.Name(), code, out, errs)
			}
			found = found || strings.Contains(out, `"key:2"`)
		}
	}
	if !found {
		t.Error("no dump shows a key that was written")
	}
}

func TestBackupAndMerge(t *testing.T) {
	dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	makeDatabase(t, dir, 1000)
	makeDatabase(t, dir, 1000) // now half of it is dead
	code, out, errs := tool(t, "backup", dir, copied)
	if code != 0 || errs != "" || !strings.Contains(out, "linked: copy it to another disk") {
		t.Fatalf("backup: code %d, %q, %q", code, out, errs)
	}
	if code, out, _ := tool(t, "backup", "-h"); code != 0 || !strings.Contains(out, "The server must be stopped") {
		t.Errorf("backup -h: code %d, %q", code, out)
	}
	size, err := dataBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs := tool(t, "merge", dir); code != 0 || errs != "" {
		t.Fatalf("merge: code %d, %q, %q", code, out, errs)
	}
	merged, err := dataBytes(dir)
	if err != nil || merged > size*2/3 {
		t.Errorf("merged from %d to %d bytes, %v", size, merged, err)
	}
	for _, d := range []string{dir, copied} {
		db, err := engine.Open(d, engine.Options{Spaces: 16})
		if err != nil {
			t.Fatal(err)
		}
		if n := db.Len(0); n != 1000 {
			t.Errorf("%s has %d keys", d, n)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestToolErrors(t *testing.T) {
	empty := t.TempDir()
	missing := filepath.Join(empty, "missing")
	used := t.TempDir()
	db, err := engine.Open(used, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	foreign := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(foreign, bytes.Repeat([]byte("root:x:0:0\n"), 20), 0o600); err != nil {
		t.Fatal(err)
	}
	inUse := "already open in this process\n"
	var holder *engine.LockedError
	if _, err := engine.Open(used, engine.Options{}); !errors.As(err, &holder) {
		inUse = "in use by another process\n" // the system does not say which
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"check"}, "usage: bitkv-redis check [options] DIR"},
		{[]string{"check", missing}, missing + ": no such file or directory"},
		{[]string{"check", empty}, empty + " is no data directory: it has neither a MANIFEST nor data files"},
		{[]string{"repair", missing}, missing + ": no such file or directory"},
		{[]string{"repair", used}, "data directory " + used + ": repair: " + inUse},
		{[]string{"merge", missing}, missing + ": no such file or directory"},
		{[]string{"merge", empty}, empty + " is no data directory: it has neither a MANIFEST nor data files"},
		{[]string{"merge", used}, "data directory " + used + ": " + inUse},
		{[]string{"merge", "--ratio", "x", used}, `invalid value "x"`},
		{[]string{"backup", used}, "usage: bitkv-redis backup [options] DIR DESTINATION"},
		{[]string{"backup", used, missing}, "data directory " + used + ": " + inUse},
		{[]string{"backup", used, missing, "--no-verify"}, "--no-verify: options come before the arguments; usage: bitkv-redis backup [options] DIR DESTINATION\n"},
		{[]string{"backup", used, "--no-verify"}, "--no-verify: options come before the arguments"},
		{[]string{"dump"}, "usage: bitkv-redis dump FILE ..."},
		{[]string{"dump", missing}, "no such file or directory"},
		{[]string{"dump", foreign}, "bitkv-redis: " + foreign + " is no file of a data directory\n"},
		{[]string{"dump", used}, used + " is a directory; dump takes the files in it"},
		{[]string{"dump", filepath.Join(empty, "none")}, "bitkv-redis: " + filepath.Join(empty, "none") + ": no such file or directory\n"},
		{[]string{"healthcheck", "--port", strconv.Itoa(testenv.FreePort(t))}, "connection refused"},
		{[]string{"healthcheck", "7777"}, "bitkv-redis: 7777 is neither a command nor a configuration file; see bitkv-redis -h\n"},
		{[]string{"healthcheck", "--nosuch", "1"}, "unknown directive"},
		{[]string{"healthcheck", "--timeout", "x"}, `invalid value "x"`},
		{[]string{"check", "--port", "1"}, "-port; usage: bitkv-redis check [options] DIR\n"},
	}
	for _, tt := range tests {
		code, out, errs := tool(t, tt.args...)
		if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: code %d, %q, %q; want %q", tt.args, code, out, errs, tt.want)
		}
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("a tool made %v, %v", entries, err)
	}
}

func TestHealthcheck(t *testing.T) {
	r := serve(t, t.TempDir(), "--requirepass", "secret")
	port := strconv.Itoa(r.port)
	for password, want := range map[string]int{"": 1, "secret": 0, "wrong": 1} {
		if code, _, errs := tool(t, "healthcheck", "--timeout", "1m", "--port", port, "--password", password); code != want {
			t.Errorf("password %q: code %d, %q", password, code, errs)
		} else if password == "" && !strings.Contains(errs, "wants a password: --password") {
			t.Errorf("without a password: %q", errs)
		}
	}
}

// healthcheck finds the server by what that was given, and is let in.
func TestHealthcheckReadsTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	r := serve(t, dir, "--requirepass", "secret", "--unixsocket", socket)
	file := func(lines ...string) string {
		name := filepath.Join(t.TempDir(), "c.conf")
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	port := "port " + strconv.Itoa(r.port)
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{file(port, "requirepass secret", "maxmemory 1gb")}, 0},
		{[]string{file(port, "requirepass wrong")}, 1},
		{[]string{file(port)}, 1},
		{[]string{file(port), "--requirepass", "secret"}, 0},
		{[]string{file(port), "--password", "secret", "--host", "127.0.0.1"}, 0},
		{[]string{file("port 1", "requirepass secret"), "--port", strconv.Itoa(r.port)}, 0},
		{[]string{file(port, "requirepass secret", "bind * -::*")}, 0},
		{[]string{file("port 0", "unixsocket "+socket, "requirepass secret")}, 0},
		{[]string{file("port 1"), "--socket", socket, "--requirepass", "secret"}, 0},
		{[]string{filepath.Join(dir, "missing.conf")}, 1},
	} {
		if code, _, errs := tool(t, slices.Concat([]string{"healthcheck"}, tt.args, []string{"--timeout=1m"})...); code != tt.want {
			t.Errorf("%v: code %d, want %d: %q", tt.args, code, tt.want, errs)
		}
	}
}

func TestNearHost(t *testing.T) {
	for bind, want := range map[string]string{
		"* -::*": "127.0.0.1", "": "127.0.0.1", "-::*": "::1", "10.0.0.1 127.0.0.1": "127.0.0.1", "-10.0.0.1 ::": "10.0.0.1", "::1": "::1",
	} {
		if got := nearHost(strings.Fields(bind)); got != want {
			t.Errorf("bind %s: %s, want %s", bind, got, want)
		}
	}
}
