package resp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bitkv/types"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// testLog gathers what a server logs, and shows it if the test fails.
type testLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// testServer is a server on a port of its own with a store of its own.
type testServer struct {
	*Server
	tb   testing.TB
	addr string
	log  *testLog
	// diskFails says that the store cannot be closed without an error.
	diskFails bool
}

// startServer starts a server; change, if not nil, changes its settings first.
func startServer(tb testing.TB, change func(*Settings), opts ...func(*Options)) *testServer {
	tb.Helper()
	s := prepareServer(tb, change, opts...)
	s.start()
	return s
}

// start makes the server listen.
func (s *testServer) start() {
	s.tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.tb.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.Serve(l)
}

// prepareServer makes a server that does not listen yet.
func prepareServer(tb testing.TB, change func(*Settings), opts ...func(*Options)) *testServer {
	tb.Helper()
	return prepareServerOn(tb, types.Options{}, change, opts...)
}

// prepareServerOn is prepareServer with a store of these options.
func prepareServerOn(tb testing.TB, storeOpt types.Options, change func(*Settings), opts ...func(*Options)) *testServer {
	tb.Helper()
	log := new(testLog)
	cfg := NewConfig(nil)
	set := cfg.Load().clone()
	// The io-driver of the servers under test: `make test` runs them on both.
	if driver := os.Getenv("BITKV_TEST_DRIVER"); driver != "" {
		set.IODriver = driver
	}
	if change != nil {
		change(set)
	}
	cfg.current.Store(set)
	opt := Options{Config: cfg, Logger: slog.New(slog.NewTextHandler(log, nil))}
	for _, o := range opts {
		o(&opt)
	}
	srv, err := NewServer(opt)
	if err != nil {
		tb.Fatal(err)
	}
	if os.Getenv("BITKV_TEST_COLD") != "" && storeOpt.Engine.FS == nil {
		storeOpt.Engine.FS = newColdFS() // no value is ever in memory
	}
	store, err := types.Open(tb.TempDir(), storeOpt)
	if err != nil {
		tb.Fatal(err)
	}
	srv.Ready(store)
	s := &testServer{Server: srv, tb: tb, log: log}
	tb.Cleanup(func() {
		if err := srv.Close(); err != nil {
			tb.Error(err)
		}
		if err := store.Close(); (err != nil) != s.diskFails {
			tb.Errorf("closing the store: %v", err)
		}
		if tb.Failed() {
			tb.Logf("the server's log:\n%s", log)
		}
	})
	return s
}

// bind replaces a command of a server by another. REQUIRES: it was not started.
func (s *testServer) bind(name string, b binding, row command) {
	table := &commandTable{byName: maps.Clone(s.table.byName), rows: s.table.rows}
	row.name, row.binding = name, b
	if old := table.byName[name]; old != nil {
		row.id = old.id
	}
	table.byName[name] = &row
	table.index = newCommandIndex(table.byName)
	s.table = table
}

// testConn is a client of a testServer that speaks bytes.
type testConn struct {
	tb testing.TB
	net.Conn
	r *bufio.Reader
}

// dial connects a client. The server has accepted it, so that clients have their numbers
// in the order in which they are dialed.
func (s *testServer) dial(tb testing.TB) *testConn {
	tb.Helper()
	accepted := s.stats.connections.Load()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	eventually(tb, "the connection is accepted", func() bool { return s.stats.connections.Load() != accepted })
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return &testConn{tb, conn, newReader(conn)}
}

func newReader(conn net.Conn) *bufio.Reader { return bufio.NewReaderSize(conn, 64<<10) }

// send writes bytes as they are.
func (c *testConn) send(s string) {
	c.tb.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.tb.Fatalf("sending %.40q: %v", s, err)
	}
}

// reply reads one whole RESP value and returns its bytes.
func (c *testConn) reply() string {
	c.tb.Helper()
	s, err := readValue(c.r)
	if err != nil {
		c.tb.Fatalf("reading a reply: %v (so far %q)", err, s)
	}
	return s
}

// do sends an inline command and returns its reply.
func (c *testConn) do(line string) string {
	c.tb.Helper()
	c.send(line + "\r\n")
	return c.reply()
}

// want sends an inline command and compares its reply.
func (c *testConn) want(line, reply string) {
	c.tb.Helper()
	if got := c.do(line); got != reply {
		c.tb.Fatalf("%s\n got %q\nwant %q", line, got, reply)
	}
}

// wantReply compares the next reply.
func (c *testConn) wantReply(reply string) {
	c.tb.Helper()
	if got := c.reply(); got != reply {
		c.tb.Fatalf("\n got %q\nwant %q", got, reply)
	}
}

// wantNothing expects that no reply has come.
func (c *testConn) wantNothing() {
	c.tb.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		c.tb.Fatal(err)
	}
	b, err := c.r.Peek(1)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Fatalf("got %q, %v; want nothing yet", b, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(3 * patience)); err != nil {
		c.tb.Fatal(err)
	}
}

// wantClosed expects the end of the connection, and nothing before it.
func (c *testConn) wantClosed() {
	c.tb.Helper()
	b, err := io.ReadAll(c.r)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() || len(b) > 0 {
		c.tb.Fatalf("got %q, %v; want the end of the connection", b, err)
	}
}

// readValue reads one RESP value.
func readValue(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return line, err
	}
	if len(line) < 3 {
		return line, fmt.Errorf("bad line %q", line)
	}
	values := 0
	switch line[0] {
	case '$', '=':
		n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil || n < 0 {
			return line, err
		}
		b := make([]byte, n+2)
		_, err = io.ReadFull(r, b)
		return line + string(b), err
	case '*', '~', '>', '%':
		if values, err = strconv.Atoi(strings.TrimSpace(line[1:])); err != nil {
			return line, err
		}
		if line[0] == '%' {
			values *= 2
		}
	}
	for range values {
		var v string
		v, err = readValue(r)
		line += v
		if err != nil {
			break
		}
	}
	return line, err
}

// eventually waits for something that must become true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("never happened: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// line makes the bytes of a command.
func line(args ...string) string {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return string(b)
}

// ping checks that the server answers others.
func (s *testServer) ping(tb testing.TB) {
	tb.Helper()
	s.dial(tb).want("PING", "+PONG\r\n")
}
