package tests

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bitkv/internal/testenv"
)

// The program around the server: signals, the configuration file, the
// environment, and the tools for a data directory.

// dataSet fills a few databases and returns what is in them.
func dataSet(t *testing.T, s *server) map[string]keyState {
	t.Helper()
	w := s.wire(t)
	must := func(args ...string) {
		t.Helper()
		if got, err := w.do(args...); err != nil || got.kind == '-' {
			t.Fatalf("%.100q: %q, %v", args, got.raw, err)
		}
	}
	for db := range 3 {
		must("SELECT", strconv.Itoa(db))
		for i := range 200 {
			must("SET", fmt.Sprintf("key:%d", i), strings.Repeat(strconv.Itoa(db), i))
		}
		must("SET", "large", strings.Repeat("large", 20_000))
		must("SET", "number", "12345")
		must("SET", "later", "v", "PXAT", "4102444800000")
		must("SET", "\x00\xff binary", "\x00\xff")
		must("DEL", "key:7")
		must("RENAME", "key:8", "renamed")
	}
	must("SWAPDB", "0", "2")
	must("SELECT", "9")
	must("SET", "gone", "v")
	must("FLUSHDB")
	return state(t, s)
}

func state(t *testing.T, s *server) map[string]keyState {
	t.Helper()
	got, err := dumpState(s, false)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// stop ends a server in order.
func stop(t *testing.T, s *server) {
	t.Helper()
	if code := s.terminate(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d after SIGTERM\n%s", code, s.logTail())
	}
}

// TestOrderlyEnds ends the server in every way that is one, and looks for all of
// its data afterwards.
func TestOrderlyEnds(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(s *server) int
	}{
		{"SIGTERM", func(s *server) int { return s.terminate(t, syscall.SIGTERM) }},
		{"SIGINT", func(s *server) int { return s.terminate(t, syscall.SIGINT) }},
		{"SHUTDOWN", func(s *server) int { return shutdown(t, s, "SHUTDOWN") }},
		{"SHUTDOWN NOSAVE", func(s *server) int { return shutdown(t, s, "SHUTDOWN", "NOSAVE") }},
		{"SHUTDOWN SAVE NOW", func(s *server) int { return shutdown(t, s, "SHUTDOWN", "SAVE", "NOW") }},
	} {
		if !ours.isOurs() {
			return
		}
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			s := startIn(t, ours, dir)
			want := dataSet(t, s)
			if code := row.end(s); code != 0 {
				t.Errorf("exit code %d\n%s", code, s.logTail())
			}
			if got := state(t, startIn(t, ours, dir)); !maps.Equal(got, want) {
				t.Error("the data is not what it was")
			}
		})
	}
}

// shutdown sends SHUTDOWN, which answers by closing the connection, and returns
// the exit code.
func shutdown(t *testing.T, s *server, args ...string) int {
	t.Helper()
	w := s.wire(t)
	if err := w.send(args...); err != nil {
		t.Fatal(err)
	}
	if got, err := w.readToEOF(); err != nil || got != "" {
		t.Errorf("%q: %q, %v", args, got, err)
	}
	return s.exitCode(t)
}

// TestConfigurationFile starts from a file, changes a setting, rewrites the file
// and starts again; the environment and the command line win over the file.
func TestConfigurationFile(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "bitkv.conf")
	text := "# a comment\n\ntimeout 100\nmaxmemory 1gb\nrequirepass \"with \\x73pace\"\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	get := func(s *server, name string) string {
		t.Helper()
		w := s.wire(t)
		if got, err := w.do("AUTH", "with space"); err != nil || got.raw != "+OK\r\n" {
			t.Fatalf("AUTH: %q, %v", got.raw, err)
		}
		got, err := w.do("CONFIG", "GET", name)
		if err != nil || len(got.elems) != 2 {
			t.Fatalf("CONFIG GET %s: %q, %v", name, got.raw, err)
		}
		return got.elems[1].text
	}
	begin := func(env []string, args ...string) *server {
		t.Helper()
		port := testenv.FreePort(t)
		args = append([]string{conf}, args...)
		args = append(args, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir)
		s := &server{
			kind: ours, port: port, addr: "127.0.0.1:" + strconv.Itoa(port), log: filepath.Join(t.TempDir(), "log"),
			args: []string{"--requirepass", "with space"}, cmd: exec.Command(ours.bin(t), args...), done: make(chan struct{}),
		}
		s.cmd.Env = append(os.Environ(), env...)
		out, err := os.Create(s.log)
		if err != nil {
			t.Fatal(err)
		}
		s.cmd.Stdout, s.cmd.Stderr = out, out
		dieWithParent(s.cmd)
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			s.err = s.cmd.Wait()
			close(s.done)
		}()
		t.Cleanup(s.kill)
		if err := s.ready(); err != nil {
			t.Fatalf("%v\n%s", err, s.logTail())
		}
		return s
	}
	s := begin(nil)
	if got := get(s, "timeout"); got != "100" {
		t.Errorf("timeout from the file: %s", got)
	}
	if got := get(s, "maxmemory"); got != "1073741824" {
		t.Errorf("maxmemory from the file: %s", got)
	}
	w := s.wire(t)
	for _, cmd := range [][]string{{"AUTH", "with space"}, {"CONFIG", "SET", "timeout", "200", "slowlog-max-len", "7"}, {"CONFIG", "REWRITE"}} {
		if got, err := w.do(cmd...); err != nil || got.raw != "+OK\r\n" {
			t.Fatalf("%q: %q, %v", cmd, got.raw, err)
		}
	}
	rewritten, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"# a comment", "timeout 200", "slowlog-max-len 7"} {
		if !strings.Contains("\n"+string(rewritten), "\n"+line+"\n") {
			t.Errorf("CONFIG REWRITE left no line %q in:\n%s", line, rewritten)
		}
	}
	stop(t, s)
	s = begin([]string{"BITKV_TIMEOUT=300"})
	if got := get(s, "timeout"); got != "300" {
		t.Errorf("timeout from the environment: %s", got)
	}
	if got := get(s, "slowlog-max-len"); got != "7" {
		t.Errorf("slowlog-max-len from the rewritten file: %s", got)
	}
	stop(t, s)
	s = begin([]string{"BITKV_TIMEOUT=300"}, "--timeout", "400")
	if got := get(s, "timeout"); got != "400" {
		t.Errorf("timeout from the command line: %s", got)
	}
}

// TestTools uses the subcommands on a directory with data, and serves what they
// leave.
func TestTools(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	small := []string{"--data-file-size", "64kb"}
	dir := t.TempDir()
	s := startIn(t, ours, dir, small...)
	want := dataSet(t, s)
	bin := ours.bin(t)
	tool := func(code int, args ...string) string {
		t.Helper()
		out, errOut, got := run(t, "", bin, args...)
		if got != code {
			t.Errorf("bitkv-redis %q: exit code %d, want %d\n%s%s", args, got, code, out, errOut)
		}
		if code != 0 && strings.Count(errOut, "\n") != 1 {
			t.Errorf("bitkv-redis %q: standard error is not one line:\n%s", args, errOut)
		}
		return out
	}
	tool(0, "healthcheck", "--port", strconv.Itoa(s.port), "--timeout", replyTimeout.String())
	tool(1, "merge", dir) // in use
	stop(t, s)
	tool(1, "healthcheck", "--port", strconv.Itoa(s.port))

	tool(0, "check", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(files) < 2 {
		t.Fatalf("data files: %v, %v", files, err)
	}
	dumped := tool(0, append([]string{"dump"}, files...)...)
	for _, key := range []string{"key:100", "renamed", "later"} {
		if !strings.Contains(dumped, key) {
			t.Errorf("dump does not show %s:\n%.2000s", key, dumped)
		}
	}
	copied := filepath.Join(t.TempDir(), "copy")
	tool(0, "backup", dir, copied)
	tool(1, "backup", dir, copied) // it is there already
	tool(1, "check", filepath.Join(dir, "nosuch"))
	before := diskBytes(t, dir)
	tool(0, "merge", dir)
	if after := diskBytes(t, dir); after > before {
		t.Errorf("merge made %d bytes of %d", after, before)
	}
	tool(0, "check", dir)
	tool(0, "check", copied)
	for name, d := range map[string]string{"after merge": dir, "of the backup": copied} {
		s := startIn(t, ours, d, small...)
		if got := state(t, s); !maps.Equal(got, want) {
			t.Errorf("the data %s is not what it was", name)
		}
		stop(t, s)
	}
}

// TestShutdownFreesTheDirectory: when the connection that SHUTDOWN was sent on ends,
// the data directory is free, under each driver.
func TestShutdownFreesTheDirectory(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	for _, driver := range []string{"net", "auto"} {
		dir := t.TempDir()
		for range 4 {
			s := startIn(t, ours, dir, "--io-driver", driver)
			w := s.wire(t)
			if err := w.send("SHUTDOWN"); err != nil {
				t.Fatal(err)
			}
			if got, err := w.readToEOF(); err != nil || got != "" {
				t.Errorf("SHUTDOWN: %q, %v", got, err)
			}
			if out, errOut, code := run(t, "", ours.bin(t), "merge", dir); code != 0 {
				t.Errorf("io-driver %s: merge after SHUTDOWN: exit code %d\n%s%s", driver, code, out, errOut)
			}
			if code := s.exitCode(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, s.logTail())
			}
		}
	}
}

// TestCheckBesideAServer checks a directory while the server seals and merges its files.
func TestCheckBesideAServer(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	dir := t.TempDir()
	s := startIn(t, ours, dir, "--data-file-size", "64kb", "--merge-dead-bytes", "128kb")
	w := s.wire(t)
	for round := range 10 {
		var load []byte
		for i := range 400 {
			load = appendCommand(load, "SET", "k:"+strconv.Itoa(i%100), strings.Repeat(strconv.Itoa(round), 2000))
		}
		if err := w.write(load); err != nil {
			t.Fatal(err)
		}
		out, errOut, code := run(t, "", ours.bin(t), "check", dir)
		if code != 0 {
			t.Fatalf("round %d: exit code %d\n%s%s", round, code, out, errOut)
		}
		for range 400 {
			if got, err := w.read(); err != nil || got.raw != "+OK\r\n" {
				t.Fatalf("SET: %q, %v", got.raw, err)
			}
		}
	}
	stop(t, s)
}

// TestRepair damages a directory so that it is refused, repairs it, and serves
// what is left.
func TestRepair(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	dir := filled(t, true)
	removeHints(t, dir)
	flip(t, largest(t, dir), -2000)
	if _, _, code := run(t, "", ours.bin(t), "check", dir); code != 1 {
		t.Fatalf("check of a damaged directory: exit code %d", code)
	}
	if out, errOut, code := run(t, "", ours.bin(t), "repair", dir); code != 0 {
		t.Fatalf("repair: exit code %d\n%s%s", code, out, errOut)
	}
	if out, errOut, code := run(t, "", ours.bin(t), "check", dir); code != 0 {
		t.Fatalf("check after repair: exit code %d\n%s%s", code, out, errOut)
	}
	w := startIn(t, ours, dir).wire(t)
	found := 0
	for i := range 100 {
		got, err := w.do("GET", "key:"+strconv.Itoa(i))
		if err != nil || got.kind == '-' {
			t.Fatalf("GET: %q, %v", got.raw, err)
		}
		if got.text == strings.Repeat("v", 100) {
			found++
		} else if !got.null {
			t.Errorf("key:%d has a value that was never written: %q", i, got.raw)
		}
	}
	if found < 80 || found == 100 {
		t.Errorf("%d of 100 keys are left after the loss of one record", found)
	}
}

// TestCheckNamesCollections damages an element of a hash, of a list, and a chunk of
// a long string: check and repair say whose they were, and what was deleted since.
func TestCheckNamesCollections(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	dir := t.TempDir()
	s := startIn(t, ours, dir)
	w := s.wire(t)
	large := strings.Repeat("v", 100_000)
	mark := func(name string) string { return strings.Repeat("damage of "+name+" ", 20) }
	for _, args := range [][]string{
		{"HSET", "hash", "a", "1", "b", large},
		{"HSET", "hash", "c", mark("hash")},
		{"RPUSH", "list", "1", large},
		{"RPUSH", "list", mark("list")},
		{"SET", "long", large},
		{"SETRANGE", "long", "40000", mark("long")},
		{"HSET", "deleted", "a", "1", "b", large},
		{"HSET", "deleted", "c", mark("deleted")},
		{"DEL", "deleted"},
	} {
		if got, err := w.do(args...); err != nil || got.kind == '-' {
			t.Fatalf("%.100q: %q, %v", args, got.raw, err)
		}
	}
	stop(t, s)
	edit(t, largest(t, dir), func(b []byte) {
		for _, name := range []string{"hash", "list", "long", "deleted"} {
			at := bytes.LastIndex(b, []byte(mark(name)))
			if at < 0 {
				t.Fatalf("the element of %s is not in the file", name)
			}
			b[at+50] ^= 1
		}
	})
	want := `; 3 elements of 3 collections: "hash", "list", "long"; 1 element of collections that are gone`
	for _, tool := range []string{"check", "repair"} {
		out, _, _ := run(t, "", ours.bin(t), tool, dir)
		if !strings.Contains(out, want) {
			t.Errorf("%s says\n%s", tool, out)
		}
	}
}

// TestLogLines looks at the form of the log, in both formats.
func TestLogLines(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	for format, want := range map[string]string{
		"redis": `:M `,
		"json":  `{"`,
	} {
		s := start(t, ours, "--log-format", format)
		eventually(t, "the server says that it is ready", func() bool {
			return strings.Contains(s.logTail(), "Ready to accept connections")
		})
		for line := range strings.Lines(s.logTail()) {
			if !strings.Contains(line, want) {
				t.Errorf("%s: %q", format, line)
			}
		}
	}
}

func diskBytes(t *testing.T, dir string) int64 {
	t.Helper()
	var total int64
	for name := range snapshot(t, dir) {
		total += length(t, filepath.Join(dir, name))
	}
	return total
}
