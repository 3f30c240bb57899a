// Package tests is the black-box suite: it builds the server, starts it beside
// a stock redis-server where an oracle is needed, and speaks to both over TCP.
//
// The environment steers it:
//
//	BITKV_TEST_SUBJECT  a server binary to test instead of a fresh build;
//	                    "redis-server" tests the suite itself, against the oracle
//	BITKV_TEST_RACE     not empty: build the server with the race detector
//	BITKV_TEST_ARGS     more arguments for our server: --index-type plar
package tests

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bitkv/internal/testenv"

	"github.com/redis/go-redis/v9"
)

// startTimeout bounds the wait for a server's first PONG; a build with the race
// detector on a busy machine needs a good part of it.
const startTimeout = 60 * time.Second

// buildDir holds what the whole run shares: the built server.
var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bitkv-tests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// A test runs the server as another user, who must be able to read it.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// buildOurs builds cmd/bitkv-redis once for the run.
var buildOurs = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("BITKV_TEST_SUBJECT"); bin != "" {
		return exec.LookPath(bin)
	}
	bin := filepath.Join(buildDir, "bitkv-redis")
	args := []string{"build", "-o", bin}
	if os.Getenv("BITKV_TEST_RACE") != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "bitkv/cmd/bitkv-redis")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// kind is a server program the suite can start.
type kind struct {
	name string
	bin  func(t *testing.T) string
	args []string
}

var (
	ours   = kind{name: "bitkv", bin: oursBin, args: []string{"--save", ""}}
	oracle = kind{name: "redis", bin: oracleBin, args: []string{"--save", "", "--appendonly", "no"}}
)

func oursBin(t *testing.T) string {
	t.Helper()
	bin, err := buildOurs()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func oracleBin(t *testing.T) string {
	t.Helper()
	return tool(t, "redis-server")
}

// tool finds a program of Debian's redis packages. A missing one is a failure:
// a suite that skips proves nothing.
func tool(t *testing.T, name string) string {
	t.Helper()
	bin, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed; `make deps` installs it", name)
	}
	return bin
}

// isOurs reports whether a kind is the server of this repository and not the
// oracle in its place.
func (k kind) isOurs() bool {
	return k.name == ours.name && !strings.HasSuffix(os.Getenv("BITKV_TEST_SUBJECT"), "redis-server")
}

// server is a running server process.
type server struct {
	kind kind
	addr string
	port int
	dir  string
	args []string
	log  string // the file its output goes to
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
	err  error         // of Wait; read after done
}

// start runs a server of kind k on a free port with a directory of its own and
// waits until it answers PING. It is killed when the test ends.
func start(t *testing.T, k kind, args ...string) *server {
	t.Helper()
	return startIn(t, k, t.TempDir(), args...)
}

// startIn is start with a given data directory.
func startIn(t *testing.T, k kind, dir string, args ...string) *server {
	t.Helper()
	var s *server
	var err error
	for range 3 { // another process may take the port between choosing and listening
		s = launch(t, k, dir, testenv.FreePort(t), args...)
		if err = s.ready(); err == nil {
			return s
		}
		s.kill()
	}
	t.Fatalf("%s did not start: %v\n%s", k.name, err, s.logTail())
	return nil
}

// launch starts the process without waiting for it to answer.
func launch(t *testing.T, k kind, dir string, port int, args ...string) *server {
	t.Helper()
	s := &server{
		kind: k, port: port, dir: dir,
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		log:  filepath.Join(t.TempDir(), "log"),
		done: make(chan struct{}),
	}
	s.args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir}, k.args...)
	if k.isOurs() {
		s.args = append(s.args, strings.Fields(os.Getenv("BITKV_TEST_ARGS"))...)
	}
	s.args = append(s.args, args...)
	out, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(k.bin(t), s.args...)
	s.cmd.Dir = dir
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.kill()
		s.noOutcry(t)
	})
	return s
}

// noOutcry fails the test if the server's log tells of a data race or a panic:
// the server survives a handler's panic, but it is a bug of ours.
func (s *server) noOutcry(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(s.log)
	if err != nil {
		t.Error(err)
		return
	}
	for _, word := range []string{"DATA RACE", "panic", "fatal error"} {
		if at := bytes.Index(data, []byte(word)); at >= 0 {
			t.Errorf("%s:\n%s", word, data[at:min(at+4000, len(data))])
		}
	}
}

// ready waits until the server answers PING.
func (s *server) ready() error {
	deadline := time.Now().Add(startTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ping()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer to PING within %v: %w", startTimeout, err)
		}
		select {
		case <-s.done:
			return fmt.Errorf("exited: %w", s.err)
		case <-tick.C:
		}
	}
}

// ping asks for one PONG on a connection of its own, with the password if the
// server has one: LOADING is said only to who may know.
func (s *server) ping() error {
	w, err := dialWire(s.addr)
	if err != nil {
		return err
	}
	defer w.close()
	if i := slices.Index(s.args, "--requirepass"); i >= 0 {
		if _, err := w.do("AUTH", s.args[i+1]); err != nil {
			return err
		}
	}
	got, err := w.do("PING")
	if err == nil && got.raw != "+PONG\r\n" {
		err = errors.New(got.raw)
	}
	return err
}

// kill ends the process as kill -9 does, and waits for its end.
func (s *server) kill() {
	// The error is that the process has ended already, which is the aim.
	_ = s.cmd.Process.Kill()
	<-s.done
}

// terminate asks the process to stop and returns its exit code.
func (s *server) terminate(t *testing.T, sig syscall.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	return s.exitCode(t)
}

// exitCode waits for the process's end and returns its exit code.
func (s *server) exitCode(t *testing.T) int {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(startTimeout):
		t.Fatalf("%s has not ended\n%s", s.kind.name, s.logTail())
	}
	return s.cmd.ProcessState.ExitCode()
}

// alive fails the test if the process has ended.
func (s *server) alive(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
		t.Fatalf("%s has ended: %v\n%s", s.kind.name, s.err, s.logTail())
	default:
	}
}

// logTail returns the last lines the process printed.
func (s *server) logTail() string {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	if n := len(lines) - 40; n > 0 {
		lines = lines[n:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}

// wire opens a raw connection, closed when the test ends.
func (s *server) wire(t *testing.T) *wire {
	t.Helper()
	w, err := dialWire(s.addr)
	if err != nil {
		t.Fatalf("%s: %v\n%s", s.kind.name, err, s.logTail())
	}
	t.Cleanup(w.close)
	return w
}

// client returns a go-redis client, closed when the test ends.
func (s *server) client(t *testing.T, protocol int) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: s.addr, Protocol: protocol, MaxRetries: -1,
		// Its own limits are seconds, which a busy machine may take.
		DialTimeout: replyTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: replyTimeout,
	})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return c
}

// rssBytes returns the process's resident memory.
func (s *server) rssBytes(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS line")
	return 0
}

// cpu returns the processor time the process has used.
func (s *server) cpu(t *testing.T) time.Duration {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// utime and stime are the 12th and 13th fields after the name, in ticks of
	// 10 ms.
	_, rest, _ := strings.Cut(string(data), ") ")
	var ticks int64
	for _, field := range strings.Fields(rest)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// run executes a program to its end and returns what it wrote.
func run(t *testing.T, stdin string, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	dieWithParent(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// eventually polls ok until it holds, and fails the test after replyTimeout.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(replyTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", replyTimeout, what)
		}
		<-tick.C
	}
}
