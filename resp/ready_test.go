package resp

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// blockAs sends a command on a new connection and waits until it is blocked.
func (s *testServer) blockAs(t *testing.T, cmd string) *testConn {
	t.Helper()
	n := s.stats.blocked.Load()
	c := s.dial(t)
	c.send(cmd + "\r\n")
	s.waitBlocked(t, n+1)
	return c
}

// newestID is the number of the client that connected last.
func (s *testServer) newestID() int64 {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	return s.clients.nextID
}

// pair is the reply of BLPOP.
func pair(key, element string) string {
	return fmt.Sprintf("*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(element), element)
}

// noneWaiting waits until nothing is left of those that waited: a client that is
// killed is not blocked any more before it has left the lists of who waits.
func (s *testServer) noneWaiting(t *testing.T) {
	t.Helper()
	s.waitBlocked(t, 0)
	if n := s.handovers.n.Load(); n != 0 || len(s.handovers.list) != 0 {
		t.Errorf("%d handovers are left", n)
	}
	eventually(t, "no key is waited for", func() bool { return s.store.Waiting() == 0 })
}

// TestServiceOrder: first come, first served, over several pushes.
func TestServiceOrder(t *testing.T) {
	s := startServer(t, nil)
	other := s.dial(t)
	const n = 20
	var waiting []*testConn
	for i := range n {
		cmd := "BLPOP q 0"
		if i%2 == 1 {
			cmd = "BRPOP none q 0"
		}
		waiting = append(waiting, s.blockAs(t, cmd))
	}
	for i, c := range waiting {
		other.want(fmt.Sprintf("RPUSH q %d", i), ":1\r\n")
		other.want("LLEN q", ":0\r\n")
		c.wantReply(pair("q", fmt.Sprint(i)))
	}
	s.noneWaiting(t)
}

// TestUnblockWaiting: CLIENT UNBLOCK, CLIENT KILL, and clients that go away.
func TestUnblockWaiting(t *testing.T) {
	s := startServer(t, nil)
	other := s.dial(t)
	for _, tt := range []struct{ cmd, how, reply string }{
		{"BLPOP q 0", "", "*-1\r\n"},
		{"BLPOP q 0", " TIMEOUT", "*-1\r\n"},
		{"BLMOVE q d LEFT LEFT 0", " TIMEOUT", "*-1\r\n"},
		{"BLMPOP 0 1 q LEFT", " ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"},
	} {
		c := s.blockAs(t, tt.cmd)
		other.want(fmt.Sprint("CLIENT UNBLOCK ", s.newestID(), tt.how), ":1\r\n")
		c.wantReply(tt.reply)
		c.want("PING", "+PONG\r\n")
		s.noneWaiting(t)
	}
	c := s.blockAs(t, "BLPOP q 0")
	other.want(fmt.Sprint("CLIENT KILL ID ", s.newestID()), ":1\r\n")
	c.wantClosed()
	s.noneWaiting(t)
	s.blockAs(t, "BLPOP q 0").Close()
	s.noneWaiting(t)
	other.want("RPUSH q a", ":1\r\n")
	other.want("LRANGE q 0 -1", "*1\r\n$1\r\na\r\n")
}

// TestKilledTakesNothing: what comes for a client that was killed a moment ago stays for
// others, and nothing unblocks it.
func TestKilledTakesNothing(t *testing.T) {
	s := startServer(t, nil)
	killed := s.dial(t)
	id := clientIDOf(killed)
	killed.send("BLPOP q 0\r\n")
	s.waitBlocked(t, 1)
	other := s.dial(t)
	other.send("CLIENT KILL ID " + id + "\r\nCLIENT UNBLOCK " + id + "\r\nRPUSH q a\r\nLLEN q\r\n")
	other.wantReply(":1\r\n")
	other.wantReply(":0\r\n")
	other.wantReply(":1\r\n")
	other.wantReply(":1\r\n")
	killed.wantClosed()
	s.noneWaiting(t)
}

// TestWaitingTimesOut: one whose time is over takes nothing from the one behind it.
func TestWaitingTimesOut(t *testing.T) {
	s := startServer(t, nil)
	first, second := s.dial(t), s.dial(t)
	first.send("BLPOP q 0.05\r\n") // nobody can be sure to see it blocked
	second.send("BLPOP q 0\r\n")
	first.wantReply("*-1\r\n")
	s.waitBlocked(t, 1)
	s.dial(t).want("RPUSH q a b", ":2\r\n")
	second.wantReply(pair("q", "a"))
	s.noneWaiting(t)
}

// TestBlockedStats: what INFO, the slow log and errors say of commands that wait.
func TestBlockedStats(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.SlowlogSlowerThanUs = 0 })
	other := s.dial(t)
	c := s.blockAs(t, "BLPOP q 0")
	if info := other.do("INFO clients"); !strings.Contains(info, "blocked_clients:1\r\n") {
		t.Errorf("INFO clients: %s", info)
	}
	eventually(t, "the call is counted", func() bool {
		return strings.Contains(other.do("INFO commandstats"), "cmdstat_blpop:calls=1,")
	})
	if log := other.do("SLOWLOG GET 100"); strings.Contains(log, "BLPOP") {
		t.Errorf("a command that waits is in the slow log: %s", log)
	}
	other.want(fmt.Sprint("CLIENT UNBLOCK ", s.newestID(), " ERROR"), ":1\r\n")
	c.wantReply("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")
	if log := other.do("SLOWLOG GET 100"); !strings.Contains(log, "$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n") {
		t.Errorf("a command that has waited is not in the slow log: %s", log)
	}
	if info := other.do("INFO commandstats"); !strings.Contains(info, "cmdstat_blpop:calls=1,") ||
		!strings.Contains(info, "rejected_calls=0,failed_calls=1") {
		t.Errorf("INFO commandstats: %s", info)
	}
	if info := other.do("INFO latencystats"); !strings.Contains(info, "latency_percentiles_usec_blpop:") {
		t.Errorf("INFO latencystats: %s", info)
	}
}

// TestWaitingProtocols: a client is served in its own protocol, wherever it is
// served from, and in its own database.
func TestWaitingProtocols(t *testing.T) {
	s := startServer(t, nil)
	three, other := s.dial(t), s.dial(t)
	three.do("HELLO 3")
	three.want("SELECT 3", okReply)
	three.send("BLPOP q 0.02\r\n")
	three.wantReply("_\r\n")
	three.send("BLPOP q 0\r\n")
	s.waitBlocked(t, 1)
	other.want("RPUSH q a", ":1\r\n")
	other.want("SELECT 3", okReply)
	other.want("RPUSH q b", ":1\r\n")
	three.wantReply(pair("q", "b"))
}

// TestQueueUnderLoad moves elements through two queues by many clients at once:
// each element comes out once, those of one producer in order per consumer, and a
// key with somebody waiting never shows an element to others.
func TestQueueUnderLoad(t *testing.T) {
	s := startServer(t, nil)
	const producers, consumers, each = 3, 4, 400
	var wg sync.WaitGroup
	got := make([][]string, consumers)
	for i := range consumers {
		c := s.dial(t)
		wg.Go(func() {
			for {
				c.send("BLPOP out stop 0\r\n")
				v, err := readValue(c.r)
				if err != nil || strings.Contains(v, "stop") {
					return
				}
				got[i] = append(got[i], strings.Split(v, "\r\n")[4])
			}
		})
	}
	for range 2 {
		c := s.dial(t)
		wg.Go(func() {
			for {
				c.send("BLMOVE in out LEFT RIGHT 0\r\n")
				if v, err := readValue(c.r); err != nil || strings.HasPrefix(v, "*") {
					return
				}
			}
		})
	}
	var pushing sync.WaitGroup
	for p := range producers {
		c := s.dial(t)
		pushing.Go(func() {
			for i := range each {
				if v := c.do(fmt.Sprintf("RPUSH in %d-%d", p, i)); v[0] != ':' {
					t.Errorf("RPUSH: %s", v)
				}
			}
		})
	}
	pushing.Wait()
	other := s.dial(t)
	eventually(t, "all elements are taken", func() bool { return other.do("EXISTS in out") == ":0\r\n" })
	s.waitBlocked(t, consumers+2)
	for range consumers {
		other.do("RPUSH stop stop")
	}
	s.waitBlocked(t, 2)
	for s.stats.blocked.Load() > 0 {
		for id := range s.newestID() + 1 {
			other.do(fmt.Sprintf("CLIENT UNBLOCK %d", id))
		}
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, list := range got {
		for _, v := range list {
			if seen[v] {
				t.Errorf("%s came out twice", v)
			}
			seen[v] = true
		}
	}
	if len(seen) != producers*each {
		t.Errorf("%d elements came out, want %d", len(seen), producers*each)
	}
	s.noneWaiting(t)
}

// TestNobodyBetween: what is pushed for somebody who waits is never seen, or
// taken, by a third client, which asks all the time.
func TestNobodyBetween(t *testing.T) {
	s := startServer(t, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, tt := range []struct{ ask, nothing string }{
		{"LPOP q", "$-1\r\n"},
		{"EXISTS q r", ":0\r\n"},
		{"MULTI\r\nRPOP r\r\nEXEC", okReply + queued + "*1\r\n$-1\r\n"},
	} {
		c := s.dial(t)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.send(tt.ask + "\r\n")
				got := ""
				for range 1 + strings.Count(tt.ask, "\n") {
					v, err := readValue(c.r)
					if err != nil {
						t.Error(err)
						return
					}
					got += v
				}
				if got != tt.nothing {
					t.Errorf("%s: %q", tt.ask, got)
					return
				}
			}
		})
	}
	first, second, other := s.dial(t), s.dial(t), s.dial(t)
	for i := range 300 {
		first.send("BLMOVE q r LEFT LEFT 0\r\n")
		second.send("BLPOP r 0\r\n")
		s.waitBlocked(t, 2)
		element := fmt.Sprint(i)
		other.want("RPUSH q "+element, ":1\r\n")
		first.wantReply(fmt.Sprintf("$%d\r\n%s\r\n", len(element), element))
		second.wantReply(pair("r", element))
	}
	close(stop)
	wg.Wait()
	s.noneWaiting(t)
}
