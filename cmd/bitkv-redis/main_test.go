package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"bitkv/engine"
	"bitkv/internal/testenv"
)

// The tests of this file run the program for real: the test binary runs itself
// as the server when runAsServer is in its environment.
const runAsServer = "BITKV_TEST_RUN_AS_SERVER=1"

func TestMain(m *testing.M) {
	if slices.Contains(os.Environ(), runAsServer) {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// running is a server process.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	port int
	pass string // what AUTH needs
	done chan struct{}

	mu     sync.Mutex // guards following
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// lockedBuffer writes to a buffer of a running process.
type lockedBuffer struct {
	r *running
	b *bytes.Buffer
}

func (l lockedBuffer) Write(p []byte) (int, error) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.b.Write(p)
}

func (r *running) out() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stdout.String()
}

func (r *running) errors() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stderr.String()
}

// launch starts the program; it is killed when the test ends.
func launch(t *testing.T, env []string, stdin string, args ...string) *running {
	t.Helper()
	r := &running{t: t, done: make(chan struct{})}
	r.cmd = exec.Command(os.Args[0], args...)
	r.cmd.Env = append(append(os.Environ(), runAsServer), env...)
	r.cmd.Stdin = strings.NewReader(stdin)
	r.cmd.Stdout = lockedBuffer{r, &r.stdout}
	r.cmd.Stderr = lockedBuffer{r, &r.stderr}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // the exit code is looked at
		close(r.done)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended
		<-r.done
	})
	return r
}

// serve starts a server on a free port and waits until it is ready.
func serve(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	port := testenv.FreePort(t)
	all := []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir}
	r := launch(t, nil, "", append(all, args...)...)
	r.port = port
	if i := slices.Index(args, "--requirepass"); i >= 0 {
		r.pass = args[i+1]
	}
	r.waitReady()
	return r
}

func (r *running) waitReady() {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for ping("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)), r.pass, time.Second) != nil {
		select {
		case <-r.done:
			r.t.Fatalf("ended: %s%s", r.out(), r.errors())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not ready: %s%s", r.out(), r.errors())
		}
	}
}

// exit waits for the end and returns the exit code.
func (r *running) exit() int {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.t.Fatalf("still running: %s%s", r.out(), r.errors())
	}
	return r.cmd.ProcessState.ExitCode()
}

func (r *running) stop(sig syscall.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	return r.exit()
}

// ask sends one inline command and returns the lines of its reply that come
// until it is whole: one, or for a bulk string two, or for an array all.
func (r *running) ask(line string) string {
	r.t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s\r\n", line)
	return readReply(r.t, bufio.NewReader(conn))
}

func readReply(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	head, err := in.ReadString('\n')
	if err != nil {
		return "<" + err.Error() + ">"
	}
	head = strings.TrimRight(head, "\r\n")
	n, _ := strconv.Atoi(head[1:])
	switch {
	case head[0] == '$' && n >= 0:
		b := make([]byte, n+2)
		if _, err := readFull(in, b); err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	case head[0] == '*':
		var list []string
		for range n {
			list = append(list, readReply(t, in))
		}
		return strings.Join(list, " ")
	}
	return head
}

func readFull(in *bufio.Reader, b []byte) (int, error) {
	for n := 0; n < len(b); {
		k, err := in.Read(b[n:])
		if err != nil {
			return n, err
		}
		n += k
	}
	return len(b), nil
}

// TestPidFileIsNotNeeded: as in Redis, whose redis.conf names one that few may write.
func TestPidFileIsNotNeeded(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "no", "pid")
	r := serve(t, t.TempDir(), "--pidfile", pid)
	if code := r.stop(syscall.SIGTERM); code != 0 || r.errors() != "" {
		t.Errorf("exit code %d: %s%s", code, r.out(), r.errors())
	}
	if want := "pidfile cannot be written pidfile=" + pid; !strings.Contains(r.out(), want) {
		t.Errorf("the log does not say %q: %s", want, r.out())
	}

	gone := filepath.Join(t.TempDir(), "pid")
	r = serve(t, t.TempDir(), "--pidfile", gone)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if code := r.stop(syscall.SIGTERM); code != 0 || r.errors() != "" {
		t.Errorf("exit code %d after pidfile was removed: %s%s", code, r.out(), r.errors())
	}
}

func TestServeAndStop(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			pid := filepath.Join(t.TempDir(), "pid")
			r := serve(t, dir, "--pidfile", pid)
			if got := r.ask("SET k v"); got != "+OK" {
				t.Errorf("SET: %s", got)
			}
			if data, err := os.ReadFile(pid); err != nil || string(data) != strconv.Itoa(r.cmd.Process.Pid)+"\n" {
				t.Errorf("pidfile %q, %v", data, err)
			}
			if code := r.stop(sig); code != 0 {
				t.Errorf("exit code %d: %s%s", code, r.out(), r.errors())
			}
			if _, err := os.Stat(pid); !os.IsNotExist(err) {
				t.Errorf("pidfile is left: %v", err)
			}
			line := regexp.MustCompile(`^\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] .+$`)
			for l := range strings.SplitSeq(strings.TrimSuffix(r.out(), "\n"), "\n") {
				if !line.MatchString(l) {
					t.Errorf("log line %q", l)
				}
			}
			for _, want := range []string{"* Ready to accept connections", "bye bye"} {
				if !strings.Contains(r.out(), want) {
					t.Errorf("the log lacks %q:\n%s", want, r.out())
				}
			}
			if strings.Contains(r.out(), `|_.__/`) {
				t.Error("the banner is printed to what is no terminal")
			}
			again := serve(t, dir)
			if got := again.ask("GET k"); got != "v" {
				t.Errorf("after a restart: %s", got)
			}
		})
	}
}

func TestShutdownCommand(t *testing.T) {
	for _, command := range []string{"SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE NOW FORCE"} {
		dir := t.TempDir()
		r := serve(t, dir)
		r.ask("SET k v")
		if got := r.ask(command); got != "<EOF>" {
			t.Errorf("%s: reply %q", command, got)
		}
		if code := r.exit(); code != 0 {
			t.Errorf("%s: exit code %d: %s%s", command, code, r.out(), r.errors())
		}
		if got := serve(t, dir).ask("GET k"); got != "v" {
			t.Errorf("%s: after a restart: %s", command, got)
		}
	}
}

func TestSecondSignalForces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{log: slog.New(slog.DiscardHandler), stop: make(chan os.Signal, 2)}
		code := -1
		go s.forceOnSecondSignal(time.Now(), func(n int) { code = n })
		s.stop <- syscall.SIGTERM
		synctest.Wait()
		if code != -1 {
			t.Errorf("exit code %d for a signal that came twice at once", code)
		}
		time.Sleep(oneSignal)
		s.stop <- syscall.SIGTERM
		synctest.Wait()
		if code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
	})
}

// oneLineError checks that a program ended with 1 and one line that contains
// want, and printed nothing but log lines besides.
func oneLineError(t *testing.T, r *running, want string) {
	t.Helper()
	if code := r.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	text := r.errors()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "bitkv-redis: ") || !strings.Contains(text, want) {
		t.Errorf("standard error %q, want one line with %q", text, want)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "data")
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	r := launch(t, nil, "", "--port", port, "--bind", "127.0.0.1", "--dir", dir)
	oneLineError(t, r, "bitkv-redis: cannot listen on 127.0.0.1:"+port+": address already in use\n")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	first := serve(t, dir)
	waitReserve(t, dir)
	before := dirSum(t, dir)
	r := launch(t, nil, "", "--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", dir)
	oneLineError(t, r, dir+": in use by another process")
	if pid := strings.Contains(r.errors(), "(pid "); pid && !strings.Contains(r.errors(), fmt.Sprintf("(pid %d)\n", first.cmd.Process.Pid)) {
		t.Errorf("another pid than %d: %s", first.cmd.Process.Pid, r.errors())
	}
	if after := dirSum(t, dir); after != before {
		t.Error("the directory was changed")
	}
	if got := first.ask("PING"); got != "+PONG" {
		t.Errorf("the first server: %s", got)
	}
}

func TestDirectoryIsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := launch(t, nil, "", "--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", name)
	oneLineError(t, r, name)
}

// Damage in the middle of a file is refused, named, and left alone.
func TestDirectoryDamaged(t *testing.T) {
	dir := t.TempDir()
	makeDatabase(t, dir, 100)
	file := damage(t, dir)
	before := dirSum(t, dir)
	logFile := filepath.Join(t.TempDir(), "log")
	r := launch(t, nil, "", "--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", dir, "--logfile", logFile)
	want := "data directory " + dir + " is damaged: " + file + " is corrupt at offset "
	oneLineError(t, r, "bitkv-redis: "+want)
	if n := strings.Count(r.errors(), "bitkv-redis repair"); n != 1 {
		t.Errorf("repair is advised %d times: %s", n, r.errors())
	}
	if data, err := os.ReadFile(logFile); err != nil || strings.Count(string(data), want) != 1 {
		t.Errorf("the log file lacks %q: %v\n%s", want, err, data)
	}
	if after := dirSum(t, dir); after != before {
		t.Error("the directory was changed")
	}
}

// makeDatabase writes n keys into a new database and closes it.
func makeDatabase(t *testing.T, dir string, n int) {
	t.Helper()
	db, err := engine.Open(dir, engine.Options{Spaces: 16})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := db.Put(fmt.Appendf(nil, "key:%d", i), bytes.Repeat([]byte("v"), 100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// damage flips a bit in the middle of the largest data file and removes the hint
// files, so that it will be read. It returns the name of the file.
func damage(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no data files: %v", err)
	}
	var largest string
	var data []byte
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(data) {
			largest, data = name, b
		}
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(largest, data, 0o600); err != nil {
		t.Fatal(err)
	}
	hints, err := filepath.Glob(filepath.Join(dir, "*.hint"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range hints {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Base(largest)
}

// waitReserve waits until a server has made what it makes in the background of its
// start.
func waitReserve(t *testing.T, dir string) {
	t.Helper()
	const whole = 16 << 20 // it may grow piece by piece
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(filepath.Join(dir, "RESERVE")); err == nil && info.Size() == whole {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no RESERVE")
		}
	}
}

// dirSum is a hash over the names and contents of a directory.
func dirSum(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n", e.Name(), len(data))
		h.Write(data)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Every source of the configuration, the later ones over the earlier.
func TestConfigurationSources(t *testing.T) {
	port := testenv.FreePort(t)
	env := []string{"BITKV_HZ=20", "BITKV_TIMEOUT=7000", "BITKV_SAVE=60 1", "BITKV_NONSENSE=1", "BITKV_PORT=tcp://10.0.0.1:6379"}
	stdin := "hz 15\nmaxclients 100\nsave 5 1\nsave 6 1\ntimeout 3000\n"
	r := launch(t, env, stdin, "-", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--timeout", "9000")
	r.port = port
	r.waitReady()
	for name, want := range map[string]string{"maxclients": "100", "hz": "20", "timeout": "9000", "save": "60 1"} {
		if got := r.ask("CONFIG GET " + name); got != name+" "+want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	r.stop(syscall.SIGTERM) // and all that it has printed is there
	if !strings.Contains(r.out(), "BITKV_NONSENSE is not the name of a directive") {
		t.Errorf("no warning:\n%s", r.out())
	}
}

func TestConfigRewriteFile(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "b.conf")
	port := testenv.FreePort(t)
	text := fmt.Sprintf("# mine\nport %d\nbind 127.0.0.1\n\nhz 20 \n# end\ndir %s\n", port, filepath.Join(dir, "data"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := launch(t, nil, "", conf)
	r.port = port
	r.waitReady()
	for _, command := range []string{"CONFIG SET hz 30 timeout 5000", "CONFIG REWRITE"} {
		if got := r.ask(command); got != "+OK" {
			t.Errorf("%s: %s", command, got)
		}
	}
	want := strings.Replace(text, "hz 20 ", "hz 30", 1) + "# Generated by CONFIG REWRITE\ntimeout 5000\n"
	if got, err := os.ReadFile(conf); err != nil || string(got) != want {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, got, want)
	}
}

func TestJSONLogAndLogFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	r := serve(t, t.TempDir(), "--log-format", "json", "--logfile", name)
	r.stop(syscall.SIGTERM)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("log line %q", l)
		}
	}
	if len(lines) < 3 || r.out() != "" {
		t.Errorf("%d lines, standard output %q", len(lines), r.out())
	}
}

// The service manager hears when the server is ready and when it stops.
func TestNotifySupervisor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	r := launch(t, []string{"NOTIFY_SOCKET=" + socket}, "", "--supervised", "systemd",
		"--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", t.TempDir())
	hear := func(want string) {
		t.Helper()
		b := make([]byte, 100)
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("heard %q, %v; want %q", b[:n], err, want)
		}
	}
	hear("READY=1")
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	hear("STOPPING=1")
}
