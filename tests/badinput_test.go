package tests

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Input that no well-meaning client sends. After each the server must be alive,
// answer PING at once, and not have kept the memory.

const (
	// pingLimit is how much longer a PING may take beside an attack than one to a
	// server that nobody attacks meanwhile, which tells what the machine does. What
	// these attacks did, unhindered, took for ever or much processor time; this is no
	// more than the first needs, for on a seventh of a processor it is 0.7 s already,
	// and several times that with the race detector.
	pingLimit = 30 * time.Second
	// cpuLimit is how much processor time a costly command may take. The PINGs beside
	// it count as well.
	cpuLimit = 3 * time.Second
	// memoryLimit is how much the server may grow by one attack.
	memoryLimit = 256 << 20
)

// attack is one row: it talks to the server on connections of its own.
type attack struct {
	name string
	run  func(t *testing.T, s *server)
}

func TestBadInput(t *testing.T) {
	s, idle := start(t, ours), start(t, ours)
	for _, a := range []attack{
		{"R1 bulk length at the limit of int64", func(t *testing.T, s *server) {
			t.Helper()
			refused(t, s, "*1\r\n$9223372036854775807\r\nx", "-ERR Protocol error: invalid bulk length\r\n")
			refused(t, s, "*1\r\n$9223372036854775800\r\nx", "-ERR Protocol error: invalid bulk length\r\n")
			refused(t, s, "*1\r\n$-9223372036854775808\r\nx", "-ERR Protocol error: invalid bulk length\r\n")
			refused(t, s, "*1\r\n$18446744073709551617\r\nx", "-ERR Protocol error: invalid bulk length\r\n")
		}},
		{"R2 a count that never arrives", func(t *testing.T, s *server) {
			t.Helper()
			refused(t, s, "*9223372036854775807\r\n", "-ERR Protocol error: invalid multibulk length\r\n")
			for range 20 {
				send(t, s, []byte("*1000000\r\n"))
			}
		}},
		{"R3 a command in reads of one byte", oneByteReads},
		{"R4 many arguments in small pieces", manyArguments},
		{"R5 a long inline line", longInline},
		{"R6 a bulk that is announced and never sent", announcedBulks},
		{"R7 pipelines that are not aligned to reads", unalignedPipelines},
		{"R8 many large replies to few bytes", largeReplies},
		{"R9 a client that never reads", neverReads},
		{"R14 good commands before a bad one", func(t *testing.T, s *server) {
			t.Helper()
			refused(t, s, "PING\r\nECHO hi\r\n*x\r\n", "+PONG\r\n$2\r\nhi\r\n-ERR Protocol error: invalid multibulk length\r\n")
		}},
		{"R15 what Redis ignores, rejects and closes on", func(t *testing.T, s *server) {
			t.Helper()
			w := s.wire(t)
			if err := w.write([]byte("*0\r\n*-1\r\n\r\nPING\r\n")); err != nil {
				t.Fatal(err)
			}
			if got, err := w.read(); err != nil || got.raw != "+PONG\r\n" {
				t.Errorf("after *0 and *-1: %q, %v", got.raw, err)
			}
			refused(t, s, "*1\r\n$+4\r\nPING\r\n", "-ERR Protocol error: invalid bulk length\r\n")
			refused(t, s, "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "")
		}},
		{"R17 patterns that backtrack", patterns},
		{"half a command and then silence", func(t *testing.T, s *server) {
			t.Helper()
			for range 100 {
				send(t, s, []byte("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf"))
			}
		}},
		{"random bytes", randomBytes},
		{"long keys and values", longKeys},
		{"offsets and counts at the limits", limitsOfOffsets},
	} {
		t.Run(a.name, func(t *testing.T) {
			if strings.HasPrefix(a.name, "R9") && !s.kind.isOurs() {
				return // Redis keeps the replies: 10 GiB of them
			}
			before := s.rssBytes(t)
			beside, elsewhere := pingBeside(s), pingBeside(idle)
			a.run(t, s)
			worst, err := beside()
			if err != nil {
				t.Errorf("PING beside it: %v\n%s", err, s.logTail())
			}
			usual, err := elsewhere()
			if err != nil {
				t.Errorf("PING to a server that is not attacked: %v", err)
			}
			if worst > usual+pingLimit {
				t.Errorf("a PING beside it took %v, and %v to another server", worst, usual)
			}
			if grown := s.rssBytes(t) - before; grown > raced(int64(memoryLimit)) {
				t.Errorf("the server grew by %d MiB", grown>>20)
			}
		})
	}
	s.alive(t)
}

// raced is a limit, or that of a server with the race detector, which takes several
// times as long and keeps several bytes for each.
func raced[T ~int64](limit T) T {
	if os.Getenv("BITKV_TEST_RACE") != "" {
		limit *= 8
	}
	return limit
}

// pingBeside sends PING every few milliseconds until the returned function is
// called, which returns the longest time one took.
func pingBeside(s *server) func() (time.Duration, error) {
	stop, done := make(chan struct{}), make(chan struct{})
	var worst time.Duration
	var failed error
	go func() {
		defer close(done)
		w, err := dialWire(s.addr)
		if err != nil {
			failed = err
			return
		}
		defer w.close()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for last := false; ; {
			began := time.Now()
			got, err := w.do("PING")
			if err != nil || got.raw != "+PONG\r\n" {
				failed = fmt.Errorf("%q, %w", got.raw, err)
				return
			}
			worst = max(worst, time.Since(began))
			if last {
				return
			}
			select {
			case <-stop:
				last = true // one more, after the attack
			case <-tick.C:
			}
		}
	}()
	return func() (time.Duration, error) {
		close(stop)
		<-done
		return worst, failed
	}
}

// send opens a connection that stays open until the test ends, and sends bytes.
func send(t *testing.T, s *server, b []byte) *wire {
	t.Helper()
	w := s.wire(t)
	if err := w.write(b); err != nil && !isReset(err) {
		t.Fatal(err)
	}
	return w
}

// refused sends bytes that must be answered so, and then the connection closed.
func refused(t *testing.T, s *server, in, want string) {
	t.Helper()
	got, err := send(t, s, []byte(in)).readToEOF()
	if err != nil || got != want {
		t.Errorf("%.60q: got %q, %v, want %q and the end", in, got, err, want)
	}
}

func oneByteReads(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	if err := w.conn.(*net.TCPConn).SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("v", 20_000)
	for _, b := range appendCommand(nil, "SET", "slowly", value) {
		if err := w.write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.read(); err != nil || got.raw != "+OK\r\n" {
		t.Errorf("SET byte by byte: %q, %v", got.raw, err)
	}
}

func manyArguments(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	args := make([]string, 500_001)
	args[0] = "DEL"
	for i := range args[1:] {
		args[i+1] = "x" + strconv.Itoa(i)
	}
	buf := appendCommand(nil, args...)
	before := s.cpu(t)
	for len(buf) > 0 {
		n := min(4096, len(buf))
		if err := w.write(buf[:n]); err != nil {
			t.Fatal(err)
		}
		buf = buf[n:]
	}
	got, err := w.read()
	if err != nil || got.raw != ":0\r\n" {
		t.Errorf("DEL of 500000 keys: %q, %v", got.raw, err)
	}
	if used := s.cpu(t) - before; used > raced(cpuLimit) {
		t.Errorf("DEL of 500000 keys took %v of processor time", used)
	}
}

func longInline(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	line := bytes.Repeat([]byte("x"), 800_000)
	// The server may close before it has read everything.
	if err := w.write(line); err != nil && !isReset(err) {
		t.Fatal(err)
	}
	got, err := w.readToEOF()
	if err != nil || got != "-ERR Protocol error: too big inline request\r\n" && got != "" {
		t.Errorf("an inline line of 800 kB: %q, %v", got, err)
	}
	// Two inline commands of 60,000 bytes are fine.
	w = send(t, s, []byte("ECHO "+strings.Repeat("y", 60_000)+"\r\nPING\r\n"))
	for _, want := range []string{"$60000\r\n" + strings.Repeat("y", 60_000) + "\r\n", "+PONG\r\n"} {
		if got, err := w.read(); err != nil || got.raw != want {
			t.Errorf("a long inline command: %.40q, %v", got.raw, err)
		}
	}
}

func announcedBulks(t *testing.T, s *server) {
	t.Helper()
	refused(t, s, "*2\r\n$4\r\nECHO\r\n$2000000000\r\n", "-ERR Protocol error: invalid bulk length\r\n")
	for range 50 {
		send(t, s, []byte("*2\r\n$4\r\nECHO\r\n$536870912\r\n"))
	}
}

func unalignedPipelines(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	one := appendCommand(nil, "SET", "pipelined", strings.Repeat("v", 997))
	const n = 20_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			if got, err := w.read(); err != nil || got.raw != "+OK\r\n" {
				t.Errorf("reply %d: %q, %v", i, got.raw, err)
				return
			}
		}
	})
	all := bytes.Repeat(one, n)
	for len(all) > 0 {
		size := min(7919, len(all))
		if err := w.write(all[:size]); err != nil {
			t.Error(err)
			break
		}
		all = all[size:]
	}
	wg.Wait()
}

func largeReplies(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	const size, n = 1 << 20, 400
	if got, err := w.do("SET", "large", strings.Repeat("v", size)); err != nil || got.raw != "+OK\r\n" {
		t.Fatalf("SET: %q, %v", got.raw, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.write(bytes.Repeat([]byte("GET large\r\n"), n)); err != nil {
			t.Error(err)
		}
	})
	for i := range n {
		if got, err := w.read(); err != nil || len(got.text) != size {
			t.Errorf("reply %d: %d bytes, %v", i, len(got.text), err)
			break
		}
	}
	wg.Wait()
}

// neverReads asks for far more than the kernel buffers and reads nothing. The
// server may stop reading from this client or close it, but must not keep the
// replies.
func neverReads(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	if err := w.conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The write stops when the server no longer reads; that is the point.
	_, err := w.conn.Write(bytes.Repeat([]byte("GET large\r\n"), 20_000))
	t.Logf("writing 20000 commands without reading: %v", err)
	eventually(t, "the server answers others", func() bool { return s.ping() == nil })
}

func patterns(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	if got, err := w.do("SET", strings.Repeat("a", 1000), "v"); err != nil || got.raw != "+OK\r\n" {
		t.Fatalf("SET: %q, %v", got.raw, err)
	}
	for _, pattern := range []string{strings.Repeat("a*", 30) + "b", strings.Repeat("*a", 500) + "b", strings.Repeat("[", 10_000), strings.Repeat("*", 100_000), strings.Repeat("?*", 400) + "b", strings.Repeat("[^b]*", 100) + "b"} {
		for _, cmd := range [][]string{{"KEYS", pattern}, {"SCAN", "0", "MATCH", pattern, "COUNT", "100000"}, {"CONFIG", "GET", pattern}} {
			before := s.cpu(t)
			if got, err := w.do(cmd...); err != nil {
				t.Fatalf("%.40q: %q, %v", cmd, got.raw, err)
			}
			if used := s.cpu(t) - before; used > raced(cpuLimit) {
				t.Errorf("%.40q took %v of processor time", cmd, used)
			}
		}
	}
}

func randomBytes(t *testing.T, s *server) {
	t.Helper()
	g := newGen(seedOf(t, "BITKV_TEST_SEED"), 0)
	for range 300 {
		var in []byte
		for range 1 + g.IntN(5) {
			in = appendCommand(in, g.command()...)
		}
		for range 1 + g.IntN(8) { // damage it
			in[g.IntN(len(in))] = byte(g.Uint32())
		}
		w := send(t, s, in)
		// Whatever it was: the server may answer, wait for more, or close.
		if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil && !strings.Contains(err.Error(), "not connected") {
			t.Fatal(err)
		}
		if _, err := w.readToEOF(); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		w.close()
	}
}

func longKeys(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	for _, n := range []int{1 << 16, 1 << 20, 8 << 20} {
		long := strings.Repeat("k", n)
		for _, suffix := range []string{"1", "2"} { // alike in their first 64 KiB and more
			if got, err := w.do("SET", long+suffix, suffix); err != nil || got.raw != "+OK\r\n" {
				t.Errorf("SET of a key of %d bytes: %q, %v", n, got.raw, err)
			}
		}
		for _, suffix := range []string{"1", "2"} {
			if got, err := w.do("GET", long+suffix); err != nil || got.text != suffix {
				t.Errorf("GET of a key of %d bytes: %q, %v", n, got.raw, err)
			}
			if got, err := w.do("DEL", long+suffix); err != nil || got.raw != ":1\r\n" {
				t.Errorf("DEL of a key of %d bytes: %q, %v", n, got.raw, err)
			}
		}
	}
	if got, err := w.do(strings.Repeat("C", 1<<20), "x"); err != nil || got.kind != '-' || len(got.raw) > 400 {
		t.Errorf("a command's name of 1 MiB: %.80q, %v", got.raw, err)
	}
}

func limitsOfOffsets(t *testing.T, s *server) {
	t.Helper()
	w := s.wire(t)
	for _, limit := range []string{"9223372036854775807", "-9223372036854775808", "9223372036854775806", "536870912", "4294967296", "-1"} {
		for _, cmd := range [][]string{
			{"SETRANGE", "r", limit, "x"},
			{"GETRANGE", "r", limit, limit},
			{"GETRANGE", "r", "0", limit},
			{"GETRANGE", "r", limit, "-1"},
			{"SCAN", "0", "COUNT", limit},
			{"EXPIRE", "r", limit},
			{"SELECT", limit},
			{"INCRBY", "counter", limit},
			{"DECRBY", "counter", limit},
			{"SLOWLOG", "GET", limit},
			{"MEMORY", "USAGE", "r", "SAMPLES", limit},
			{"LCS", "r", "r", "IDX", "MINMATCHLEN", limit},
			{"CLIENT", "KILL", "ID", limit},
			{"COPY", "r", "q", "DB", limit},
		} {
			if got, err := w.do(cmd...); err != nil {
				t.Fatalf("%q: %q, %v", cmd, got.raw, err)
			}
		}
	}
	// A product of two long strings would be a table of 100 GB.
	for _, k := range []string{"lcs1", "lcs2"} {
		if got, err := w.do("SET", k, strings.Repeat(k, 80_000)); err != nil || got.raw != "+OK\r\n" {
			t.Fatalf("SET: %q, %v", got.raw, err)
		}
	}
	got, err := w.do("LCS", "lcs1", "lcs2")
	if err != nil || got.kind != '-' {
		t.Errorf("LCS of long strings: %.80q, %v", got.raw, err)
	}
	runtime.GC() // this process holds the long strings as well
}
