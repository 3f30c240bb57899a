package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitkv/internal/testenv"
)

// What keeps a server from starting: one clear line, exit code 1, and nothing
// changed on disk.

// refusal is a start that must fail.
type refusal struct {
	name string
	// prepare makes a directory and returns the arguments of the start.
	prepare func(t *testing.T) (dir string, args []string)
	// says are words that the line must hold.
	says []string
	// as runs the server as another user.
	as func(t *testing.T, cmd *exec.Cmd, dir string)
}

func TestRefusesToStart(t *testing.T) {
	if !ours.isOurs() {
		return // it is our directories that are damaged
	}
	onPort := func(t *testing.T, dir string, args ...string) []string {
		t.Helper()
		return append([]string{"--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", dir}, args...)
	}
	damaged := func(sealed bool, damage func(t *testing.T, dir string)) func(t *testing.T) (string, []string) {
		return func(t *testing.T) (string, []string) {
			t.Helper()
			dir := filled(t, sealed)
			damage(t, dir)
			return dir, onPort(t, dir)
		}
	}
	for _, r := range []refusal{
		{name: "a locked directory", says: []string{"in use"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := filled(t, true)
			s := startIn(t, ours, dir)
			eventually(t, "the server is up", func() bool { return s.ping() == nil })
			return dir, onPort(t, dir)
		}},
		{name: "a read-only directory", says: []string{"read-only"}, as: asOrdinaryUser, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := filled(t, true)
			return dir, onPort(t, dir)
		}},
		{name: "a MANIFEST of a newer format", says: []string{"newer", "MANIFEST"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			newerFormat(t, filepath.Join(dir, "MANIFEST"))
		})},
		{name: "a data file of a newer format", says: []string{"newer", ".data"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			removeHints(t, dir)
			newerFormat(t, largest(t, dir))
		})},
		{name: "a damaged MANIFEST", says: []string{"MANIFEST", "offset"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			flip(t, filepath.Join(dir, "MANIFEST"), 64+32)
		})},
		{name: "no MANIFEST", says: []string{"MANIFEST"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			remove(t, filepath.Join(dir, "MANIFEST"))
		})},
		{name: "a missing data file", says: []string{".data"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			remove(t, largest(t, dir))
		})},
		{name: "a damaged data file without its hint", says: []string{".data", "offset", "repair"}, prepare: damaged(true, func(t *testing.T, dir string) {
			t.Helper()
			removeHints(t, dir)
			flip(t, largest(t, dir), -2000)
		})},
		{name: "damage in the middle of the active file", says: []string{".data", "offset", "repair"}, prepare: damaged(false, func(t *testing.T, dir string) {
			t.Helper()
			flip(t, largest(t, dir), 3000)
		})},
		{name: "a taken port", says: []string{"in use"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
			dir := filled(t, true)
			return dir, []string{"--port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port), "--bind", "127.0.0.1", "--dir", dir}
		}},
		{name: "an unknown directive", says: []string{"nosuch"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			return dir, onPort(t, dir, "--nosuch", "1")
		}},
		{name: "a bad value", says: []string{"appendfsync"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			return dir, onPort(t, dir, "--appendfsync", "sometimes")
		}},
		{name: "a number out of range", says: []string{"port"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			return dir, []string{"--dir", dir, "--port", "65536"}
		}},
		{name: "a missing configuration file", says: []string{"nosuch.conf"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			return dir, append([]string{filepath.Join(dir, "nosuch.conf")}, onPort(t, dir)...)
		}},
		{name: "a configuration file with a bad line", says: []string{"bad.conf", "3"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			conf := filepath.Join(dir, "bad.conf")
			if err := os.WriteFile(conf, []byte("# comment\nloglevel notice\ntimeout abc\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return dir, append([]string{conf}, onPort(t, dir)...)
		}},
		{name: "an open quote in a configuration file", says: []string{"bad.conf"}, prepare: func(t *testing.T) (string, []string) {
			t.Helper()
			dir := t.TempDir()
			conf := filepath.Join(dir, "bad.conf")
			if err := os.WriteFile(conf, []byte("requirepass \"open\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return dir, append([]string{conf}, onPort(t, dir)...)
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(t)
		})
	}
}

func (r refusal) check(t *testing.T) {
	t.Helper()
	dir, args := r.prepare(t)
	before := snapshot(t, dir)
	cmd := exec.Command(ours.bin(t), args...)
	dieWithParent(cmd)
	if r.as != nil {
		r.as(t, cmd, dir)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
	// The exit code below says what the error does.
	_ = cmd.Wait()
	stuck.Stop()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	line := errOut.String()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Errorf("standard error is not one line:\n%s\nstandard output:\n%s", line, out.String())
	}
	for _, word := range r.says {
		if !strings.Contains(line, word) {
			t.Errorf("the line does not say %q: %s", word, line)
		}
	}
	if strings.Contains(line+out.String(), "Ready to accept") || strings.Contains(line, "goroutine") {
		t.Errorf("it started, or panicked:\n%s%s", out.String(), line)
	}
	if after := snapshot(t, dir); !maps.Equal(before, after) {
		t.Errorf("the directory has changed:\nbefore %v\nafter  %v", sortedPairs(before), sortedPairs(after))
	}
}

// TestCheckReadsOnly runs check on good and damaged directories: the exit code
// tells, and nothing changes.
func TestCheckReadsOnly(t *testing.T) {
	if !ours.isOurs() {
		return
	}
	for _, row := range []struct {
		name   string
		damage func(dir string)
		code   int
	}{
		{"good", func(string) {}, 0},
		{"damaged", func(dir string) { flip(t, largest(t, dir), 3000) }, 1},
		{"missing file", func(dir string) { remove(t, largest(t, dir)) }, 1},
	} {
		for _, sealed := range []bool{true, false} {
			dir := filled(t, sealed)
			row.damage(dir)
			before := snapshot(t, dir)
			out, errOut, code := run(t, "", ours.bin(t), "check", dir)
			if code != row.code {
				t.Errorf("%s, sealed %t: exit code %d, want %d\n%s%s", row.name, sealed, code, row.code, out, errOut)
			}
			if after := snapshot(t, dir); !maps.Equal(before, after) {
				t.Errorf("%s, sealed %t: check has changed the directory:\nbefore %v\nafter  %v", row.name, sealed, sortedPairs(before), sortedPairs(after))
			}
		}
	}
}

// filled returns a directory with data in it: of a server that ended in order
// (sealed), or that was killed.
func filled(t *testing.T, sealed bool) string {
	t.Helper()
	dir := t.TempDir()
	s := startIn(t, ours, dir, "--appendfsync", "always")
	w := s.wire(t)
	for i := range 100 {
		if got, err := w.do("SET", "key:"+strconv.Itoa(i), strings.Repeat("v", 100)); err != nil || got.raw != "+OK\r\n" {
			t.Fatalf("SET: %q, %v", got.raw, err)
		}
	}
	if !sealed {
		s.kill()
	} else if code := s.terminate(t, syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d after SIGTERM\n%s", code, s.logTail())
	}
	return dir
}

// snapshot is every file of a directory: name to length and hash.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = fmt.Sprintf("%d bytes %x", len(data), sha256.Sum256(data))
	}
	return files
}

func sortedPairs(files map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, name+" "+files[name][:20])
	}
	return out
}

// largest returns the path of the longest data file.
func largest(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no data files: %v", err)
	}
	return slices.MaxFunc(paths, func(a, b string) int { return int(length(t, a) - length(t, b)) })
}

func length(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func removeHints(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.hint"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		remove(t, path)
	}
}

// edit changes a file's bytes.
func edit(t *testing.T, path string, change func(b []byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// flip flips one bit at an offset, from the end if negative.
func flip(t *testing.T, path string, at int) {
	t.Helper()
	edit(t, path, func(b []byte) { b[(at+len(b))%len(b)] ^= 0x10 })
}

// newerFormat raises the format version in a file's header, whose layout is in
// docs/format.md, and makes its checksum right again.
func newerFormat(t *testing.T, path string) {
	t.Helper()
	edit(t, path, func(b []byte) {
		binary.LittleEndian.PutUint32(b[8:], 1000)
		binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli)))
	})
}

// asOrdinaryUser takes away the right to write to the directory; if we are root,
// who may write anywhere, the server runs as somebody else.
func asOrdinaryUser(t *testing.T, cmd *exec.Cmd, dir string) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if err := os.Chmod(filepath.Join(dir, name), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Error(err)
		}
	})
	if os.Getuid() == 0 {
		runAsNobody(cmd)
	}
}
