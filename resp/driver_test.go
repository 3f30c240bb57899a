package resp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// What a driver must do beyond the rows of network hazards. BITKV_TEST_DRIVER
// chooses the driver.

// TestIOThreads runs clients on several loops that change the same key, watch
// each other and are killed by each other.
func TestIOThreads(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.IOThreads = 3 })
	const clients, rounds = 12, 200
	m := s.dial(t)
	m.want("MONITOR", okReply)
	var all sync.WaitGroup
	for range clients {
		c := s.dial(t)
		all.Go(func() {
			for range rounds {
				c.send("INCR n\nPING\n")
				if got := c.reply(); got[0] != ':' {
					t.Errorf("INCR: %q", got)
				}
				if got := c.reply(); got != "+PONG\r\n" {
					t.Errorf("PING: %q", got)
				}
			}
		})
	}
	for range 2 * clients * rounds {
		m.reply()
	}
	all.Wait()
	c := s.dial(t)
	c.want("GET n", fmt.Sprintf("$4\r\n%d\r\n", clients*rounds))
	c.want("CLIENT KILL TYPE normal", fmt.Sprintf(":%d\r\n", clients+1))
	eventually(t, "all others are gone", func() bool { return s.clients.len() == 1 && s.feed.n.Load() == 0 })
	c.want("PING", "+PONG\r\n")
}

// TestHalfClose checks that a client that ends its side gets its replies first.
func TestHalfClose(t *testing.T) {
	s := startServer(t, nil)
	value := strings.Repeat("v", 100_000)
	s.dial(t).want("SET k "+value[:60_000], okReply)
	for range 20 {
		c := s.dial(t)
		c.send(strings.Repeat("GET k\n", 100) + "PING")
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if got := c.reply(); len(got) != 60_000+len("$60000\r\n\r\n") {
				t.Fatalf("a reply of %d bytes", len(got))
			}
		}
		c.wantClosed()
	}
	eventually(t, "they are gone", func() bool { return s.clients.len() == 1 })
}

// TestSlowReader checks that a reply that does not fit into the socket waits
// without holding up others, and is shown, delivered whole, or dropped by KILL.
func TestSlowReader(t *testing.T) {
	s := startServer(t, nil)
	good := s.dial(t)
	big := strings.Repeat("0123456789abcdef", 2<<20)
	good.send(line("SET", "k", big))
	good.wantReply(okReply)
	slow := s.dial(t)
	slow.send("GET k\nPING\n")
	waiting := func() bool {
		list := good.do("CLIENT LIST ID 2")
		return !strings.Contains(list, " omem=0 ") && strings.Contains(list, " events=rw ")
	}
	eventually(t, "it waits", waiting)
	good.want("PING", "+PONG\r\n")
	if got := slow.reply(); got != fmt.Sprintf("$%d\r\n%s\r\n", len(big), big) {
		t.Fatalf("%d bytes came, want %d in order", len(got), len(big))
	}
	slow.wantReply("+PONG\r\n")
	eventually(t, "nothing waits", func() bool { return strings.Contains(good.do("CLIENT LIST ID 2"), " omem=0 ") })

	slow.send("GET k\n")
	eventually(t, "it waits again", waiting)
	good.want("CLIENT KILL ID 2", ":1\r\n")
	eventually(t, "it is gone", func() bool { return s.clients.len() == 1 })
	if n, err := io.Copy(io.Discard, slow.r); n >= int64(len(big)) {
		t.Errorf("%d bytes came after CLIENT KILL, %v", n, err)
	}
}

// TestSplitCommands sends commands in pieces of every length, many clients at
// once, so that what one leaves unfinished must not reach another.
func TestSplitCommands(t *testing.T) {
	s := startServer(t, nil)
	const clients = 8
	conns := make([]*testConn, clients)
	for i := range conns {
		conns[i] = s.dial(t)
	}
	for piece := 1; piece < 200; piece += 7 {
		cmds := make([]string, clients)
		for i := range cmds {
			cmds[i] = strings.Repeat(line("ECHO", strings.Repeat(string(rune('a'+i)), 40+i)), 5)
		}
		for at := 0; at < 60*5+200; at += piece {
			for i, c := range conns {
				if at < len(cmds[i]) {
					c.send(cmds[i][at:min(at+piece, len(cmds[i]))])
				}
			}
		}
		for i, c := range conns {
			for range 5 {
				c.wantReply(fmt.Sprintf("$%d\r\n%s\r\n", 40+i, strings.Repeat(string(rune('a'+i)), 40+i)))
			}
		}
	}
}
