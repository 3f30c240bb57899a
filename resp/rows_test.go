package resp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The tests of this file are named after the rows of the table of network
// hazards: R1 to R9 and R11 to R17.

// heapBytes is the live heap.
func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const invalidBulk = "-ERR Protocol error: invalid bulk length\r\n"

// R1: a bulk length that overflows any arithmetic.
func TestR01HugeBulkLength(t *testing.T) {
	s := startServer(t, nil)
	for _, n := range []string{"9223372036854775807", "9223372036854775806", "18446744073709551615", "536870913"} {
		c := s.dial(t)
		c.send("*1\r\n$" + n + "\r\nx")
		c.wantReply(invalidBulk)
		c.wantClosed()
	}
	s.ping(t)
}

// R2: a count of arguments that never arrive.
func TestR02HugeCount(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.send("*9223372036854775807\r\n")
	c.wantReply("-ERR Protocol error: invalid multibulk length\r\n")
	c.wantClosed()

	before := heapBytes()
	c = s.dial(t)
	c.send("*2147483647\r\n$1\r\na\r\n")
	eventually(t, "the server has read it", func() bool { return s.stats.netIn.Load() >= 42 })
	if grown := heapBytes() - before; grown > 4<<20 {
		t.Errorf("a count that has not arrived took %d bytes", grown)
	}
	c.Close()
	eventually(t, "the client is gone", func() bool { return s.clients.len() == 0 })
	s.ping(t)
}

// R3: one command in reads of one byte each.
func TestR03OneByteReads(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	cmd := line("SET", "key", strings.Repeat("v", 2000))
	for i := range len(cmd) {
		c.send(cmd[i : i+1])
	}
	c.wantReply("+OK\r\n")
	c.want("STRLEN key", ":2000\r\n")
}

// R4: a command of many arguments is parsed once, not at every read.
func TestR04ManyArguments(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	const n = 640_000
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n$3\r\nDEL\r\n", n+1)
	for range n {
		b.WriteString("$1\r\nx\r\n")
	}
	c.send(b.String())
	c.wantReply(":0\r\n")
}

// R5: an inline command without an end.
func TestR05LongInline(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	if _, err := io.WriteString(c.Conn, strings.Repeat("a", 800_000)); err != nil && !isReset(err) {
		t.Fatal(err)
	}
	c.wantReply("-ERR Protocol error: too big inline request\r\n")
	s.ping(t)
}

// isReset reports that the other side closed while we were writing.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// R6: no more than 10 arguments of 16 KiB before AUTH, and a bounded buffer after.
func TestR06QueryBufferLimit(t *testing.T) {
	s := startServer(t, func(set *Settings) {
		set.RequirePass = "secret"
		set.ClientQueryLimit = 8 << 20
	})
	c := s.dial(t)
	c.send("*11\r\n")
	c.wantReply("-ERR Protocol error: unauthenticated multibulk length\r\n")
	c.wantClosed()
	c = s.dial(t)
	c.send("*2\r\n$16385\r\n")
	c.wantReply("-ERR Protocol error: unauthenticated bulk length\r\n")
	c.wantClosed()

	// What AUTH allows is allowed to the command right behind it.
	c = s.dial(t)
	c.send(line("AUTH", "secret") + line("ECHO", strings.Repeat("x", 20_000)))
	c.wantReply("+OK\r\n")
	if got := c.reply(); len(got) != 20_000+len("$20000\r\n\r\n") {
		t.Errorf("ECHO of 20000 bytes replied %d", len(got))
	}
	c.send("*2\r\n$4\r\nECHO\r\n$400000000\r\n")
	before := heapBytes()
	chunk := strings.Repeat("x", 1<<16)
	for n := 0; ; n += len(chunk) {
		if _, err := io.WriteString(c.Conn, chunk); err != nil {
			break
		}
		if n > 256<<20 {
			t.Fatal("256 MB were taken, with a limit of 8 MB")
		}
	}
	// The buffer may be twice as large as what is in it, and the one that it was before is
	// there until it has been copied.
	if grown := heapBytes() - before; grown > 3*8<<20+4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if n := s.stats.queryLimitKills.Load(); n != 1 {
		t.Errorf("%d clients closed for their query buffer, want 1", n)
	}

	// Commands queued in MULTI count as well.
	c = s.dial(t)
	c.want("AUTH secret", "+OK\r\n")
	c.want("MULTI", "+OK\r\n")
	value := line("SET", "k", strings.Repeat("x", 1<<20))
	for range 7 {
		c.send(value)
		c.wantReply("+QUEUED\r\n")
	}
	for range 3 {
		_, _ = io.WriteString(c.Conn, value) // it may be closed by now
	}
	eventually(t, "a client with a huge MULTI is closed", func() bool { return s.stats.queryLimitKills.Load() == 2 })
}

// R6 too: nobody can make the server keep what he sends before AUTH, by not reading
// what it answers.
func TestR06UnreadBeforeAuth(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c := s.dial(t)
	c.want("PING", "-NOAUTH Authentication required.\r\n")
	before := heapBytes()
	for chunk, n := strings.Repeat("PING\n", 10_000), 0; ; n += len(chunk) {
		if _, err := io.WriteString(c.Conn, chunk); err != nil {
			break
		}
		if n > 128<<20 {
			t.Fatal("128 MB were taken before AUTH")
		}
	}
	eventually(t, "the client is closed", func() bool { return s.clients.len() == 0 })
	if grown := heapBytes() - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if n := s.stats.queryLimitKills.Load() + s.stats.outputLimitKills.Load(); n != 1 {
		t.Errorf("%d clients closed for their buffers, want 1", n)
	}

	// Who may come in sends what he likes behind AUTH.
	c = s.dial(t)
	const commands = 200_000
	go func() { // ends with the test
		_, _ = io.WriteString(c.Conn, "AUTH secret\n"+strings.Repeat("PING\n", commands))
	}()
	c.wantReply("+OK\r\n")
	for range commands {
		if got := c.reply(); got != "+PONG\r\n" {
			t.Fatalf("got %q", got)
		}
	}
}

// R7: the read buffer does not grow for a pipeline whose reads are not aligned.
func TestR07Pipeline(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	const n = 100_000
	request := line("ECHO", strings.Repeat("v", 61))
	// What is sent before replies to it are read fits into the buffers of sockets, for
	// the server may read ahead of a client that is slow to take them.
	const pieceBytes, pieces = 4093, 8
	inFlight := make(chan struct{}, pieces)
	go func() { // ends with the test
		for all := strings.Repeat(request, n); all != ""; all = all[min(pieceBytes, len(all)):] {
			select {
			case inFlight <- struct{}{}:
			case <-t.Context().Done():
				return
			}
			if _, err := io.WriteString(c.Conn, all[:min(pieceBytes, len(all))]); err != nil {
				return
			}
		}
	}()
	var free int64
	answered := 0
	for i := range n {
		c.reply()
		for answered += len(request); answered >= pieceBytes; answered -= pieceBytes {
			<-inFlight
		}
		if i%1000 == 0 {
			s.eachClient(func(other *client) bool {
				free = max(free, other.queryLen.Load()+other.queryFree.Load())
				return true
			})
		}
	}
	// The two numbers are not read in one moment, so a byte may be counted twice.
	if free > 2*maxReadAhead {
		t.Errorf("the query buffer grew to %d bytes", free)
	}
}

// R8: replies leave as they come, however long the pipeline is.
func TestR08RepliesAreFlushed(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	big := strings.Repeat("x", 2<<20)
	c.send(line("SET", "k", big))
	c.wantReply("+OK\r\n")
	before := heapBytes()
	const n = 200
	c.send(strings.Repeat("GET k\n", n))
	eventually(t, "the server writes", func() bool { return s.stats.netOut.Load() > 1<<20 })
	if grown := heapBytes() - before; grown > 16<<20 {
		t.Errorf("%d replies of 2 MiB took %d bytes of memory", n, grown)
	}
	for range n {
		if got := c.reply(); len(got) != len(big)+len("$2097152\r\n\r\n") {
			t.Fatalf("a reply of %d bytes", len(got))
		}
	}
	c.want("PING", "+PONG\r\n")
	eventually(t, "the reply buffer is given back", func() bool { return replyCapOf(s) <= keepReplies })
}

func replyCapOf(s *testServer) (n int64) {
	s.eachClient(func(c *client) bool {
		n = max(n, c.replyCap.Load())
		return true
	})
	return n
}

// R8 too: client-output-buffer-limit.
func TestR08HardLimit(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.ClientOutput[ClassNormal].HardBytes = 100_000 })
	c := s.dial(t)
	c.want("SET k "+strings.Repeat("x", 60_000), "+OK\r\n")
	if got := c.do("GET k"); len(got) < 60_000 {
		t.Fatalf("a reply of %d bytes", len(got))
	}
	c.want("MULTI", "+OK\r\n")
	c.want("GET k", "+QUEUED\r\n")
	c.want("GET k", "+QUEUED\r\n")
	c.send("EXEC\n")
	c.wantClosed()
	if n := s.stats.outputLimitKills.Load(); n != 1 {
		t.Errorf("%d clients closed for their output, want 1", n)
	}
}

// R9: a client that never reads is closed, by the stall and by the soft limit. Their time
// passes on a clock of the test's own.
func TestR09NeverReads(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Settings)
		passes time.Duration
	}{
		{"stall", nil, 5*time.Minute + time.Second},
		{"soft limit", func(set *Settings) {
			set.ClientOutput[ClassNormal].SoftBytes = 10_000
			set.ClientOutput[ClassNormal].SoftSec = 3600
		}, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, tt.change, func(o *Options) {
				if tt.change != nil {
					o.StallTimeout = 1_000_000 * tt.passes
				}
			})
			good, c := s.dial(t), s.dial(t)
			good.want("SET k "+strings.Repeat("x", 60_000), "+OK\r\n")
			id, err := strconv.ParseInt(clientIDOf(c), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_, _ = io.WriteString(c.Conn, strings.Repeat("GET k\n", 10_000)) // until it is closed
			}()
			reader := s.clients.get(id)
			eventually(t, "replies wait for it", func() bool {
				return reader.out.since.Load() != 0 && reader.out.pending.Load() > 10_000
			})
			now := time.Now()
			s.checkClients(now.Add(tt.passes / 2).UnixMilli())
			good.want("PING", "+PONG\r\n")
			if s.clients.get(id) == nil {
				t.Error("it was closed in half the time")
			}
			// Time goes on: the server may take a reply in between, and what is over the
			// soft limit then is so from there on.
			later := now
			eventually(t, "the client that does not read is closed", func() bool {
				later = later.Add(2 * tt.passes)
				s.checkClients(later.UnixMilli())
				return s.clients.get(id) == nil
			})
			if n := s.stats.outputLimitKills.Load(); n == 0 && tt.change != nil {
				t.Error("it was not closed for its output")
			}
			s.ping(t)
		})
	}
}

// flakyListener fails to accept at first, as when file descriptors run out.
type flakyListener struct {
	net.Listener
	failures atomic.Int64
	calls    atomic.Int64
}

func (l *flakyListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// R11: accept errors are waited out, not retried in a busy loop.
func TestR11AcceptErrors(t *testing.T) {
	s := startServer(t, nil)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &flakyListener{Listener: inner}
	l.failures.Store(6) // 5+10+20+40+80+160 ms
	begin := time.Now()
	s.Serve(l)
	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 7)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "+PONG\r\n" {
		t.Fatalf("got %q, %v", b, err)
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("six failures took %v: the back-off does not grow", took)
	}
}

// R11 too: maxclients.
func TestR11MaxClients(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.MaxClients = 2 })
	a, b := s.dial(t), s.dial(t)
	a.want("PING", "+PONG\r\n")
	b.want("PING", "+PONG\r\n")
	c := s.dial(t)
	c.wantReply("-ERR max number of clients reached\r\n")
	c.wantClosed()
	b.Close()
	eventually(t, "a place is free", func() bool { return s.clients.len() == 1 })
	s.ping(t)
	if n := s.stats.rejectedConns.Load(); n != 1 {
		t.Errorf("%d connections rejected, want 1", n)
	}
}

// B28: file descriptors are kept back from the clients for the data files.
func TestB28OpenFiles(t *testing.T) {
	for _, tt := range []struct{ files, want int64 }{{0, 1<<63 - 1}, {20, 1}, {256, 224}, {1024, 896}, {1 << 20, 1<<20 - 1024}} {
		if got := connectionLimit(tt.files); got != tt.want {
			t.Errorf("%d open files allow %d connections, want %d", tt.files, got, tt.want)
		}
	}
	s := prepareServer(t, nil)
	s.maxConns = 1
	s.start()
	s.dial(t).want("PING", "+PONG\r\n")
	s.dial(t).wantReply("-ERR max number of clients reached\r\n")
}

// R12: clients that connect to a TLS port and say nothing stop nobody.
func TestR12SilentTLS(t *testing.T) {
	s := startServer(t, nil)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{testCertificate(t)}}))
	// So many that to wait for one after the other, as long as for any, takes too long.
	silent := int64(patience/handshakeTimeout) + 2
	for range silent {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	eventually(t, "a silent client is accepted", func() bool { return s.stats.connections.Load() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", inner.Addr().String())
	for err != nil && ctx.Err() == nil { // a machine so busy that the handshake took too long
		conn, err = dialer.DialContext(ctx, "tcp", inner.Addr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &testConn{t, conn, newReader(conn)}
	c.want("PING", "+PONG\r\n")
	c.want("WAIT 1 20", ":0\r\n") // parking interrupts a read of TLS, too
	c.want("PING", "+PONG\r\n")
}

// testCertificate makes a certificate for this run.
func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// R13: a panic in a handler costs one client its connection.
func TestR13Panic(t *testing.T) {
	s := prepareServer(t, nil)
	s.bind("boom", binding{run: func(c *client, _ [][]byte) {
		c.array(2)
		panic("a bug")
	}}, command{arity: 1})
	s.start()
	c := s.dial(t)
	c.send("PING\nBOOM\nPING\n")
	c.wantReply("+PONG\r\n")
	c.wantReply("-ERR internal error, see the server's log\r\n")
	c.wantClosed()
	s.ping(t)
	if got := s.log.String(); !strings.Contains(got, "a bug") || !strings.Contains(got, "TestR13Panic") {
		t.Errorf("the log has no panic with its stack:\n%s", got)
	}
	select {
	case r := <-s.ShutdownRequested():
		t.Errorf("a bug in a handler asked for a shutdown: %+v", r)
	default:
	}
}

// R13 too: a panic that comes out of the storage stops the server.
func TestR13StoragePanic(t *testing.T) {
	s := prepareServer(t, nil)
	s.bind("boom", binding{run: func(c *client, args [][]byte) {
		// A key of a shard that is not locked: the engine panics.
		c.tx.Keyspace().Del([]byte("another key"))
	}}, command{arity: 2, flags: flagWrite, first: 1, last: 1, step: 1})
	s.start()
	c := s.dial(t)
	c.send("BOOM key\n")
	c.wantReply("-ERR internal error, see the server's log\r\n")
	c.wantClosed()
	select {
	case r := <-s.ShutdownRequested():
		if r.Err == nil || !r.Force {
			t.Errorf("shutdown was asked for as %+v", r)
		}
	case <-time.After(patience):
		t.Fatal("the server goes on")
	}
}

// R14: the good commands before a bad one are answered.
func TestR14GoodBeforeBad(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.send(line("SET", "a", "1") + line("INCR", "a") + "*1\r\n$x\r\n" + line("INCR", "a"))
	c.wantReply("+OK\r\n")
	c.wantReply(":2\r\n")
	c.wantReply(invalidBulk)
	c.wantClosed()
	s.dial(t).want("GET a", "$1\r\n2\r\n")
}

// R15: what Redis ignores, rejects, and closes without a word.
func TestR15OddFraming(t *testing.T) {
	s := startServer(t, nil)
	for _, tt := range []struct{ name, input, want string }{
		{"no arguments", "*0\r\n*-1\r\nPING\r\n", "+PONG\r\n"},
		{"plus sign", "*1\r\n$+4\r\nPING\r\n", invalidBulk},
		{"leading zero", "*1\r\n$04\r\nPING\r\n", invalidBulk},
		{"another type", "*1\r\n:4\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
		{"line end", "*1\r\n\r\n", "-ERR Protocol error: expected '$', got ' '\r\n"},
		{"bare bulk", "$4\r\nPING\r\n", "-ERR unknown command '$4', with args beginning with: \r\n+PONG\r\n"},
		{"POST", "PING\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n", ""},
		{"Host", "Host: x\r\nPING\r\n", ""},
		{"quotes", "PING \"x\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.dial(t)
			c.send(tt.input)
			if tt.name == "no arguments" || tt.name == "bare bulk" {
				c.send("QUIT\r\n")
				tt.want += "+OK\r\n"
			}
			b, err := io.ReadAll(c.r)
			if string(b) != tt.want || err != nil && !isReset(err) {
				t.Errorf("got %q, %v, want %q", b, err, tt.want)
			}
		})
	}
}

// R16: a large bulk reply is sent once.
func TestR16BulkOnce(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	value := strings.Repeat("0123456789", 100_000)
	c.send(line("SET", "k", value) + "PING\nGET k\nPING\nQUIT\n")
	b, err := io.ReadAll(c.r)
	want := "+OK\r\n+PONG\r\n$1000000\r\n" + value + "\r\n+PONG\r\n+OK\r\n"
	if err != nil || string(b) != want {
		t.Errorf("got %d bytes, %v, want %d", len(b), err, len(want))
	}
}

// R17: a pattern that takes other matchers forever.
func TestR17LinearGlob(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	key := strings.Repeat("a", 5000)
	c.want("SET "+key+" 1", "+OK\r\n")
	c.want("KEYS "+strings.Repeat("*a", 50)+"*b", "*0\r\n")
	c.want("SCAN 0 MATCH "+strings.Repeat("*a", 50)+"*b", "*2\r\n$1\r\n0\r\n*0\r\n")
	c.want("CONFIG GET "+strings.Repeat("*a", 50)+"*b", "*0\r\n")
}
