package resp

import (
	"errors"
	"strings"
	"testing"
)

func TestUnknownCommand(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	long := strings.Repeat("a", 200)
	run(t, c, []step{
		{"foo", "-ERR unknown command 'foo', with args beginning with: \r\n"},
		{`foo bar "b\x00z"`, "-ERR unknown command 'foo', with args beginning with: 'bar' 'b' \r\n"},
		{`foo "a\r\nb"`, "-ERR unknown command 'foo', with args beginning with: 'a  b' \r\n"},
		{"foo " + long + " b", "-ERR unknown command 'foo', with args beginning with: '" + long[:128] + "' \r\n"},
		{long, "-ERR unknown command '" + long[:128] + "', with args beginning with: \r\n"},
		{"client|list", "-ERR unknown command 'client|list', with args beginning with: \r\n"},
		{"get", "-ERR wrong number of arguments for 'get' command\r\n"},
		{"client kill", "-ERR wrong number of arguments for 'client|kill' command\r\n"},
		{"CoNfIg gEt port extra x y none", "*2\r\n$4\r\nport\r\n$4\r\n6379\r\n"},
	})
	for i := range s.stats.perCommand {
		p := &s.stats.perCommand[i]
		if name := s.table.rows[i].name; (name == "get" || name == "client|kill") != (p.rejected.Load() == 1) {
			t.Errorf("%s was rejected %d times", name, p.rejected.Load())
		}
	}
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	if n := s.stats.errors["ERR"]; n == nil || n.Load() != 8 || s.stats.errorReplies.Load() != 8 {
		t.Errorf("errors: %v, %d replies", s.stats.errors, s.stats.errorReplies.Load())
	}
}

func TestProtectedCommand(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.DebugCommand = AccessNo })
	got := s.dial(t).do("DEBUG SLEEP 0")
	if !strings.HasPrefix(got, "-ERR DEBUG command not allowed. If the enable-debug-command option") {
		t.Errorf("got %q", got)
	}
	s = startServer(t, func(set *Settings) { set.DebugCommand = AccessLocal })
	s.dial(t).want("DEBUG SLEEP 0", okReply)
}

func TestLoading(t *testing.T) {
	s := startServer(t, nil)
	s.loading.Store(true)
	const loading = "-LOADING Redis is loading the dataset in memory\r\n"
	c := s.dial(t)
	run(t, c, []step{
		{"GET a", loading},
		{"PING", loading},
		{"SELECT 1", okReply},
		{"MULTI", okReply},
		{"GET a", loading},
		{"EXEC", execAbort},
		{"MULTI", okReply},
		{"SELECT 2", queued},
		{"EXEC", "*1\r\n+OK\r\n"},
		{"RESET", "+RESET\r\n"},
		{"UNWATCH", okReply},
		{"WATCH a", loading},
	})
	s.loading.Store(false)
	c.want("GET a", "$-1\r\n")
}

func TestStatistics(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.send(strings.Repeat("SET a x\n", 5) + "GET a\nINCR a\n")
	for range 7 {
		c.reply()
	}
	c.want("PING", "+PONG\r\n")
	of := func(name string) *commandStats { return &s.stats.perCommand[s.table.byName[name].id] }
	eventually(t, "the commands are counted", func() bool { return s.stats.commands.Load() == 8 })
	if set, incr := of("set"), of("incr"); set.calls.Load() != 5 || incr.calls.Load() != 1 || incr.failed.Load() != 1 || set.failed.Load() != 0 {
		t.Errorf("set: %d calls, incr: %d calls, %d failed", set.calls.Load(), incr.calls.Load(), incr.failed.Load())
	}
	if _, n := of("set").latencyOf().snapshot(); n != 5 {
		t.Errorf("%d latencies of set, want 5", n)
	}
	s.stats.reset()
	if of("set").calls.Load() != 0 || s.stats.commands.Load() != 0 {
		t.Error("reset left counts")
	}
}

func TestHistogram(t *testing.T) {
	last := -1
	for d := range histogramBuckets {
		if limit := bucketLimit(d); bucketOf(limit-1) != d || bucketOf(limit) != min(d+1, histogramBuckets-1) {
			t.Fatalf("bucket %d ends at %d, but %d is in %d and %d in %d", d, limit, limit-1, bucketOf(limit-1), limit, bucketOf(limit))
		}
		if d <= last {
			t.Fatal("buckets are not in order")
		}
		last = d
	}
	var h histogram
	if h.percentile(50) != 0 {
		t.Error("the median of nothing is not 0")
	}
	for i := 1; i <= 1000; i++ {
		h.counts[bucketOf(1000*1000)].Add(1)
	}
	h.counts[bucketOf(100*1000*1000)].Add(1)
	if p := h.percentile(50); p < 1000*1000 || p > 1125*1000 {
		t.Errorf("the median is %v", p)
	}
	if p := h.percentile(100); p < 100*1000*1000 {
		t.Errorf("the highest is %v", p)
	}
}

func TestNewServerErrors(t *testing.T) {
	if _, err := NewServer(Options{}); err == nil {
		t.Error("a server without a configuration")
	}
	s := startServer(t, func(set *Settings) { set.Port = 0 })
	if err := s.Listen(); err == nil {
		t.Error("a server without an address listens")
	}
	port := s.Addrs()[0]
	taken := startServer(t, func(set *Settings) {
		set.Bind = []string{"127.0.0.1"}
		_, p, _ := strings.Cut(port.String(), ":")
		n, _ := parseInt([]byte(p))
		set.Port = n
	})
	if err := taken.Listen(); err == nil || !strings.Contains(err.Error(), port.String()) {
		t.Errorf("a taken port: %v", err)
	}
	if err := errors.Join(taken.CloseListeners()); err != nil {
		t.Error(err)
	}
}

// benchClient is a client without a connection: dispatch and nothing else.
func benchClient(b *testing.B) *client {
	b.Helper()
	s := startServer(b, nil)
	c := s.newClient(peer{}, s.config.Load())
	c.execute(nil, [][]byte{[]byte("SET"), []byte("key:000000001234"), []byte(strings.Repeat("v", 64))})
	return c
}

func BenchmarkDispatch(b *testing.B) {
	key, value := []byte("key:000000001234"), []byte(strings.Repeat("v", 64))
	for _, bm := range []struct {
		name string
		args [][]byte
	}{
		{"PING", [][]byte{[]byte("PING")}},
		{"GET", [][]byte{[]byte("GET"), key}},
		{"SET", [][]byte{[]byte("SET"), key, value}},
		{"INCR", [][]byte{[]byte("INCR"), []byte("counter")}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			c := benchClient(b)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				c.execute(nil, bm.args)
				c.buf = c.buf[:0]
				if n%100 == 0 {
					if err := c.srv.store.Engine().Ack(c.ackSeq); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
