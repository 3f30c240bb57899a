package resp

import (
	"strings"
	"testing"
)

// TestIdleHoldsNothing checks that a client of a loop has no buffers when it has
// got its replies, and one of its own only for the rest of a command.
func TestIdleHoldsNothing(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.IODriver = driverEpoll })
	c := s.dial(t)
	c.send(strings.Repeat(line("ECHO", strings.Repeat("x", 1000)), 30))
	for range 30 {
		c.reply()
	}
	mine := s.clients.get(1)
	if q, r := mine.queryFree.Load(), mine.replyCap.Load(); q != 0 || r != 0 {
		t.Errorf("the query buffer has %d bytes, the reply buffer %d; want none", q, r)
	}
	c.send(line("ECHO", "a") + "*2\r\n$4\r\nEC")
	c.wantReply("$1\r\na\r\n")
	eventually(t, "the rest is kept", func() bool { return mine.queryLen.Load() == int64(len("*2\r\n$4\r\nEC")) })
	if room := mine.queryLen.Load() + mine.queryFree.Load(); room > leastQueryBuffer {
		t.Errorf("the rest of a command has a buffer of %d bytes", room)
	}
	c.send("HO\r\n$1\r\nb\r\n")
	c.wantReply("$1\r\nb\r\n")
}

// TestReplyBuffers checks that a loop keeps a bounded number of reply buffers.
func TestReplyBuffers(t *testing.T) {
	l := new(eventLoop)
	for range 10_000 {
		l.giveReplies(make([]byte, 0, 64<<10))
	}
	l.giveReplies(make([]byte, 0, 2*keepReplies))
	if l.repliesBytes > spareReplies || len(l.replies) != spareReplies/(64<<10) {
		t.Errorf("%d buffers of %d bytes together are kept", len(l.replies), l.repliesBytes)
	}
	for range 100 {
		if b := l.takeReplies(); len(b) != 0 || cap(b) == 0 {
			t.Fatalf("a reply buffer of %d bytes and room for %d", len(b), cap(b))
		}
	}
	if l.repliesBytes != 0 {
		t.Errorf("%d bytes are counted and not there", l.repliesBytes)
	}
}
