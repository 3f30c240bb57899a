package resp

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// clientIDOf returns the id of a connection.
func clientIDOf(c *testConn) string {
	c.tb.Helper()
	return strings.Trim(c.do("CLIENT ID"), ":\r\n")
}

// waitBlocked waits until n clients are parked by a command.
func (s *testServer) waitBlocked(t *testing.T, n int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d clients are blocked", n), func() bool { return s.stats.blocked.Load() == n })
}

func TestWaitTimesOut(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	begin := time.Now()
	c.send("WAIT 1 50\nPING\n") // the pipeline behind waits, too
	c.wantReply(":0\r\n")
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("WAIT took %v", took)
	}
	c.wantReply("+PONG\r\n")
	run(t, c, []step{
		{"WAIT 0 0", ":0\r\n"},
		{"WAIT a 0", "-ERR value is not an integer or out of range\r\n"},
		{"WAIT 1 a", "-ERR timeout is not an integer or out of range\r\n"},
		{"WAIT 1 -1", "-ERR timeout is negative\r\n"},
		{"WAIT 1 9223372036854775807", "-ERR timeout is out of range\r\n"},
	})
}

func TestUnblock(t *testing.T) {
	s := startServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	id := clientIDOf(c)
	for _, tt := range []struct{ how, reply string }{
		{"", ":0\r\n"},
		{" TIMEOUT", ":0\r\n"},
		{" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
	} {
		c.send("WAIT 1 0\nPING\n")
		s.waitBlocked(t, 1)
		if list := other.do("CLIENT LIST ID " + id); !strings.Contains(list, " flags=b ") {
			t.Errorf("a blocked client is listed as %s", list)
		}
		other.want("CLIENT UNBLOCK "+id+tt.how, ":1\r\n")
		c.wantReply(tt.reply)
		c.wantReply("+PONG\r\n")
		other.want("CLIENT UNBLOCK "+id, ":0\r\n")
	}
	s.waitBlocked(t, 0)
}

// TestGoneWhileParked checks that a parked client that closes, or is killed, is
// noticed at once.
func TestGoneWhileParked(t *testing.T) {
	s := startServer(t, nil)
	other := s.dial(t)
	c := s.dial(t)
	c.send("WAIT 1 0\n")
	s.waitBlocked(t, 1)
	c.Close()
	s.waitBlocked(t, 0)
	eventually(t, "the client is gone", func() bool { return s.clients.len() == 1 })

	c = s.dial(t)
	id := clientIDOf(c)
	c.send("WAIT 1 0\n" + strings.Repeat("PING\n", parkedReadBytes/4)) // more than is read ahead
	s.waitBlocked(t, 1)
	other.want("CLIENT KILL ID "+id, ":1\r\n")
	s.waitBlocked(t, 0)
	eventually(t, "the client is gone", func() bool { return s.clients.len() == 1 })
}

// TestParkedPipeline checks that a long pipeline behind a parked command is
// bounded while it waits, and then answered whole.
func TestParkedPipeline(t *testing.T) {
	s := startServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	id := clientIDOf(c)
	const n = 600_000
	go c.send("WAIT 1 0\n" + strings.Repeat("PING\n", n))
	eventually(t, "1 MiB waits", func() bool {
		return s.clients.get(1).queryLen.Load() >= parkedReadBytes-maxReadAhead
	})
	other.want("CLIENT UNBLOCK "+id, ":1\r\n")
	c.wantReply(":0\r\n")
	for range n {
		c.wantReply("+PONG\r\n")
	}
	if size := s.clients.get(1).queryLen.Load() + s.clients.get(1).queryFree.Load(); size > 3*parkedReadBytes {
		t.Errorf("the query buffer grew to %d bytes", size)
	}
}

// TestRetry parks a command so that it is dispatched again, as a blocking pop
// will be.
func TestRetry(t *testing.T) {
	s := prepareServer(t, nil)
	ready := make(chan *client, 1)
	var cleanups atomic.Int64
	s.bind("pop", binding{run: func(c *client, args [][]byte) {
		v, found, err := c.tx.String().Get(args[1])
		switch {
		case err != nil:
			c.fail(err)
		case found:
			c.bulkHeader(v.Len())
			c.buf, _ = v.AppendTo(c.buf)
			c.bulkEnd()
		default:
			c.park(parking{
				retry:    true,
				deadline: time.Now().Add(patience),
				resume:   func(c *client, _ bool) { c.nullArray() },
				cleanup:  func() { cleanups.Add(1) },
			})
			ready <- c
		}
	}}, command{arity: 2, flags: flagReadonly, first: 1, last: 1, step: 1})
	s.start()
	c, other := s.dial(t), s.dial(t)
	c.send("PING\nPOP key\nPING\n")
	c.wantReply("+PONG\r\n")
	parked := <-ready
	parked.wake() // for nothing: it parks again
	parked = <-ready
	other.want("SET key value", okReply)
	parked.wake()
	c.wantReply("$5\r\nvalue\r\n")
	c.wantReply("+PONG\r\n")
	if n := cleanups.Load(); n != 2 {
		t.Errorf("%d cleanups, want 2", n)
	}
	c.send("POP none\nPING\n")
	parked = <-ready
	other.want("CLIENT UNBLOCK 1", ":1\r\n")
	c.wantReply("*-1\r\n")
	c.wantReply("+PONG\r\n")
	if parked.wake() {
		t.Error("a client that is not parked was woken")
	}
}

func TestPause(t *testing.T) {
	s := startServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	run(t, other, []step{{"CLIENT PAUSE 600000 WRITE", okReply}, {"GET k", "$-1\r\n"}})
	c.send("GET k\nSET k 1\nGET k\n")
	c.wantReply("$-1\r\n")
	held := func() bool {
		s.pause.mu.Lock()
		defer s.pause.mu.Unlock()
		return len(s.pause.held) == 1
	}
	eventually(t, "the write is held back", held)
	s.waitBlocked(t, 1)
	run(t, other, []step{{"CLIENT UNBLOCK 1", ":0\r\n"}, {"GET k", "$-1\r\n"}, {"CLIENT UNPAUSE", okReply}})
	c.wantReply(okReply)
	c.wantReply("$1\r\n1\r\n")

	// A transaction that writes is held back at EXEC; one that only reads is not.
	other.want("CLIENT PAUSE 600000 WRITE", okReply)
	run(t, c, []step{{"MULTI", okReply}, {"GET k", queued}, {"EXEC", "*1\r\n$1\r\n1\r\n"}, {"MULTI", okReply}})
	c.send("INCR k\nEXEC\n")
	eventually(t, "the write is held back", held)
	other.want("CLIENT UNPAUSE", okReply)
	c.wantReply(queued)
	c.wantReply("*1\r\n:2\r\n")

	// Everything is held back, also the end of the pause, until its time.
	begin := time.Now()
	run(t, other, []step{{"CLIENT PAUSE 100", okReply}, {"CLIENT UNPAUSE", okReply}})
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("the pause took %v", took)
	}
	// A client that goes away while it is held back is forgotten.
	other.want("CLIENT PAUSE 600000 WRITE", okReply)
	c.send("SET k 3\n")
	eventually(t, "the write is held back", held)
	c.Close()
	eventually(t, "nobody is held back", func() bool { return !held() })
	other.want("CLIENT UNPAUSE", okReply)
	run(t, other, []step{{"GET k", "$1\r\n2\r\n"}})
}
