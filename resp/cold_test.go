package resp

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"bitkv/types"
)

// coldServer is a server of which no value is in memory that is not in the keydir,
// and none that was read is kept.
func coldServer(t *testing.T, change func(*types.Options)) (*testServer, *coldFS) {
	t.Helper()
	fs := newColdFS()
	var opt types.Options
	opt.Engine.FS = fs
	if change != nil {
		change(&opt)
	}
	s := prepareServerOn(t, opt, func(cfg *Settings) { cfg.ValueCacheSize = 0 })
	s.start()
	return s, fs
}

// long is a value that the keydir does not hold itself.
func long(name string) string { return strings.Repeat(name+"-", 5) }

// TestColdReadHoldsNobodyUp has a read that does not come back: other clients read
// and write, on the same shard and the same key too.
func TestColdReadHoldsNobodyUp(t *testing.T) {
	s, fs := coldServer(t, func(o *types.Options) { o.Engine.Shards = 1 })
	c, other := s.dial(t), s.dial(t)
	c.want("SET cold "+long("a"), "+OK\r\n")
	c.want("SET hot 12345678", "+OK\r\n")
	release := fs.block()
	defer release()
	c.send("GET cold\r\nGET hot\r\nSET after 1\r\n")
	eventually(t, "the read begins", func() bool { return fs.held.Load() > 0 })
	run(t, other, []step{
		{"PING", "+PONG\r\n"},
		{"GET hot", "$8\r\n12345678\r\n"},
		{"SET hot 87654321", "+OK\r\n"},
		{"SET cold 1", "+OK\r\n"},
		{"GET cold", "$1\r\n1\r\n"},
		{"EXISTS after", ":0\r\n"},
	})
	if n := s.stats.blocked.Load(); n != 0 {
		t.Errorf("blocked_clients is %d", n)
	}
	release()
	// The command is run now, on what is there now.
	c.wantReply("$1\r\n1\r\n")
	c.wantReply("$8\r\n87654321\r\n")
	c.wantReply("+OK\r\n")
}

// TestColdClientsGo: clients that wait for the disk can be killed, and go away.
func TestColdClientsGo(t *testing.T) {
	s, fs := coldServer(t, nil)
	other := s.dial(t)
	other.want("SET cold "+long("a"), "+OK\r\n")
	release := fs.block()
	defer release()
	killed, gone, unblocked := s.dial(t), s.dial(t), s.dial(t)
	kill, unblock := clientIDOf(killed), clientIDOf(unblocked)
	for _, c := range []*testConn{killed, gone, unblocked} {
		c.send("GET cold\r\n")
	}
	eventually(t, "the reads begin", func() bool { return fs.held.Load() == 3 })
	other.want("CLIENT UNBLOCK "+unblock, ":0\r\n")
	other.want("CLIENT KILL ID "+kill, ":1\r\n")
	killed.wantClosed()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one is killed", func() bool { return s.clients.len() == 3 })
	release()
	unblocked.wantReply("$10\r\n" + long("a") + "\r\n")
	// The other one may have ended its side alone: it is written to first.
	eventually(t, "one is gone", func() bool { return s.clients.len() == 2 })
}

// TestColdCounts: what is run twice is counted once.
func TestColdCounts(t *testing.T) {
	s, _ := coldServer(t, nil)
	c := s.dial(t)
	c.want("SET key "+long("a"), "+OK\r\n")
	c.want("SET number "+long("1"), "+OK\r\n")
	c.want("CONFIG RESETSTAT", "+OK\r\n")
	c.want("GET key", "$10\r\n"+long("a")+"\r\n")
	c.want("INCR number", "-ERR value is not an integer or out of range\r\n")
	c.want("MULTI", "+OK\r\n")
	for _, line := range []string{"SELECT 1", "GET none", "SELECT 0", "GET key", "INCR number", "GET key"} {
		c.want(line, "+QUEUED\r\n")
	}
	c.want("EXEC", "*6\r\n+OK\r\n$-1\r\n+OK\r\n$10\r\n"+long("a")+"\r\n"+
		"-ERR value is not an integer or out of range\r\n$10\r\n"+long("a")+"\r\n")
	c.want("CONFIG GET databases", "*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n")
	info := c.do("INFO everything")
	for _, want := range []string{
		"cmdstat_get:calls=4,", "cmdstat_incr:calls=2,", "cmdstat_exec:calls=1,", "cmdstat_select:calls=2,",
		"keyspace_hits:3\r\n", "keyspace_misses:1\r\n", "errorstat_ERR:count=2\r\n", "total_error_replies:2\r\n",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO has no %q", want)
		}
	}
	if t.Failed() {
		t.Log(info)
	}
}

// TestColdPipeline: the values of a pipeline are read together.
func TestColdPipeline(t *testing.T) {
	s, fs := coldServer(t, nil)
	c := s.dial(t)
	const n = 32
	var pipeline, replies strings.Builder
	for i := range n {
		value := long(fmt.Sprint("v", i))
		c.want(fmt.Sprintf("SET k%d %s", i, value), "+OK\r\n")
		fmt.Fprintf(&pipeline, "GET k%d\r\nSET s%d %s\r\n", i, i, value)
		fmt.Fprintf(&replies, "$%d\r\n%s\r\n+OK\r\n", len(value), value)
	}
	before := s.store.Engine().Stats().Cold
	c.send(pipeline.String())
	for want := replies.String(); want != ""; {
		got := c.reply()
		if !strings.HasPrefix(want, got) {
			t.Fatalf("got %q, want %.40q", got, want)
		}
		want = want[len(got):]
	}
	after := s.store.Engine().Stats().Cold
	if got := after.Reads - before.Reads; got != n {
		t.Errorf("%d values read, want %d", got, n)
	}
	if got := after.Rounds - before.Rounds; got > 4 {
		t.Errorf("they were read in %d rounds, want at most 4", got)
	}
	if fs.reads.Load() == 0 {
		t.Error("nothing was read")
	}
}

// TestColdClientsComeBackTogether: the values of many clients have been read at the
// same moment, and every one of them goes on.
func TestColdClientsComeBackTogether(t *testing.T) {
	s, fs := coldServer(t, nil)
	const clients, commands = 40, 16
	other := s.dial(t)
	var pipeline, replies strings.Builder
	for i := range commands {
		other.want(fmt.Sprintf("SET k%d %s", i, long(fmt.Sprint(i))), "+OK\r\n")
		fmt.Fprintf(&pipeline, "GET k%d\r\nPING\r\n", i)
		fmt.Fprintf(&replies, "$%d\r\n%s\r\n+PONG\r\n", len(long(fmt.Sprint(i))), long(fmt.Sprint(i)))
	}
	release := fs.block()
	defer release()
	conns := make([]*testConn, clients)
	for i := range conns {
		conns[i] = s.dial(t)
		conns[i].send(pipeline.String())
	}
	eventually(t, "all wait for the disk", func() bool { return s.store.Engine().Stats().Cold.Rounds == clients })
	other.want("PING", "+PONG\r\n")
	release()
	for _, c := range conns {
		var got strings.Builder
		for range 2 * commands {
			got.WriteString(c.reply())
		}
		if got.String() != replies.String() {
			t.Errorf("got %q, want %q", got.String(), replies.String())
		}
	}
}

// TestColdManyValues: commands with many values have them read together.
func TestColdManyValues(t *testing.T) {
	s, _ := coldServer(t, nil)
	c := s.dial(t)
	const n = 200
	var keys, fields, mget, elements strings.Builder
	fmt.Fprintf(&mget, "*%d\r\n", n)
	for i := range n {
		v := long(fmt.Sprintf("value-%03d", i))
		c.want(fmt.Sprintf("SET k%d %s", i, v), "+OK\r\n")
		fmt.Fprintf(&keys, " k%d", i)
		fmt.Fprintf(&fields, " f%d %s", i, v)
		fmt.Fprintf(&elements, " %s", v)
		fmt.Fprintf(&mget, "$%d\r\n%s\r\n", len(v), v)
	}
	c.want("HSET hash"+fields.String(), fmt.Sprintf(":%d\r\n", n))
	c.want("RPUSH list"+elements.String(), fmt.Sprintf(":%d\r\n", n))
	for _, tt := range []struct {
		line, want string
		rounds     int64
	}{
		{"MGET" + keys.String(), mget.String(), 1},
		{"LRANGE list 0 -1", mget.String(), 1},
		{"HMGET hash" + strings.ReplaceAll(keys.String(), " k", " f"), mget.String(), 1},
		{"SORT list BY nosort GET # ", mget.String(), 1},
		{"LPOS list " + long("value-200"), "$-1\r\n", 1},
		{"RPOP list 1", "*1\r\n" + "$50\r\n" + long("value-199") + "\r\n", 1},
	} {
		before := s.store.Engine().Stats().Cold.Rounds
		c.want(tt.line, tt.want)
		if got := s.store.Engine().Stats().Cold.Rounds - before; got != tt.rounds {
			t.Errorf("%.20s: %d rounds, want %d", tt.line, got, tt.rounds)
		}
	}
}

// TestColdExecIsWhole: an EXEC that has to wait is none until it is done: another
// client sees all or nothing, and WATCH is heeded to the end.
func TestColdExecIsWhole(t *testing.T) {
	s, fs := coldServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	c.want("SET cold "+long("a"), "+OK\r\n")
	run(t, c, []step{
		{"WATCH watched", "+OK\r\n"},
		{"MULTI", "+OK\r\n"},
		{"SET new 1", "+QUEUED\r\n"},
		{"APPEND cold x", "+QUEUED\r\n"},
		{"SET newer 1", "+QUEUED\r\n"},
	})
	release := fs.block()
	defer release()
	c.send("EXEC\r\n")
	eventually(t, "the read begins", func() bool { return fs.held.Load() > 0 })
	other.want("EXISTS new newer", ":0\r\n")
	other.want("SET watched 1", "+OK\r\n")
	release()
	c.wantReply("*-1\r\n")
	other.want("EXISTS new newer", ":0\r\n")
	c.want("GET cold", "$10\r\n"+long("a")+"\r\n")
}

// TestColdValueIsKept: with a cache, a value is read from the disk once.
func TestColdValueIsKept(t *testing.T) {
	s, _ := coldServer(t, nil)
	c := s.dial(t)
	c.want("CONFIG SET value-cache-size 1mb cold-readers 2", "+OK\r\n")
	c.want("SET key "+long("a"), "+OK\r\n")
	for range 3 {
		c.want("GET key", "$10\r\n"+long("a")+"\r\n")
	}
	c.want("CONFIG SET hz 20", "+OK\r\n") // which leaves the cache alone
	c.want("GET key", "$10\r\n"+long("a")+"\r\n")
	info := c.do("INFO bitkv")
	for _, want := range []string{"cold_reads:1\r\n", "cold_read_bytes:10\r\n", "value_cache_hits:3\r\n", "value_cache_limit:1048576\r\n"} {
		if !strings.Contains(info, want) {
			t.Errorf("INFO has no %q:\n%s", want, info)
		}
	}
	cached := func() int64 {
		m := s.memoryUsed()
		return m.total() - m.clients // which hold more or less as their buffers come and go
	}
	used := cached()
	c.want("CONFIG SET value-cache-size 0", "+OK\r\n")
	if now := cached(); now >= used {
		t.Errorf("%d bytes used without the cache, %d with it", now, used)
	}
}

// TestColdDamage: a value that is damaged on the disk is an error, every time.
func TestColdDamage(t *testing.T) {
	s, fs := coldServer(t, nil)
	c := s.dial(t)
	c.want("SET key "+long("a"), "+OK\r\n")
	fs.damaged.Store(true)
	for range 2 {
		if got := c.do("GET key"); !strings.HasPrefix(got, "-") {
			t.Errorf("got %q, want an error", got)
		}
	}
	fs.damaged.Store(false)
	c.want("GET key", "$10\r\n"+long("a")+"\r\n")
}

// TestColdProcs: the scheduler has more processors while values are read from the
// disk, and as many as before afterwards.
func TestColdProcs(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	base, now := runtime.GOMAXPROCS(0), time.Now()
	var p coldProcs
	defer p.restore()
	for _, step := range []struct {
		after time.Duration
		reads int64
		want  int
	}{
		{0, 1, base},
		{time.Second, 1000, base + coldProcsMore},
		{time.Second, 2000, base + coldProcsMore},
		{5 * time.Second, 2001, base + coldProcsMore},
		{6 * time.Second, 2001, base},
		{time.Second, 2001, base},
	} {
		now = now.Add(step.after)
		p.tick(now, step.reads)
		if got := runtime.GOMAXPROCS(0); got != step.want {
			t.Errorf("after %d reads: %d processors, want %d", step.reads, got, step.want)
		}
	}
}

// TestColdExecOnce: what an EXEC does outside its transaction is done once, however
// often the EXEC has to wait for values.
func TestColdExecOnce(t *testing.T) {
	s, _ := coldServer(t, nil)
	c, victim := s.dial(t), s.dial(t)
	c.want("SET cold "+long("a"), "+OK\r\n")
	c.want("HSET hash f 12345678", ":1\r\n")
	id := clientIDOf(victim)
	run(t, c, []step{
		{"MULTI", "+OK\r\n"},
		{"HGETALL hash", "+QUEUED\r\n"},
		{"CLIENT KILL ID " + id, "+QUEUED\r\n"},
		{"GET cold", "+QUEUED\r\n"},
		{"HELLO 3", "+QUEUED\r\n"},
	})
	c.send("EXEC\r\n")
	for _, want := range []string{
		"*4\r\n*2\r\n$1\r\nf\r\n$8\r\n12345678\r\n",
		":1\r\n",
		"$10\r\n" + long("a") + "\r\n",
	} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c.r, got); err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestColdAheadIsNoAccess: looking ahead at a read is not an access of its key.
func TestColdAheadIsNoAccess(t *testing.T) {
	s, _ := coldServer(t, nil)
	c := s.dial(t)
	c.want("CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0 lfu-decay-time 0", "+OK\r\n")
	c.want("SET first "+long("a"), "+OK\r\n")
	c.want("SET behind "+long("b"), "+OK\r\n")
	c.send("GET first\r\nGET behind\r\n")
	c.wantReply("$10\r\n" + long("a") + "\r\n")
	c.wantReply("$10\r\n" + long("b") + "\r\n")
	c.want("OBJECT FREQ behind", ":6\r\n") // 5 of a new key, and one access
}

// TestColdMemoryIsCounted has a large value read: it is memory of the client, from when
// there is a buffer for it until the command is done.
func TestColdMemoryIsCounted(t *testing.T) {
	const size = 4 << 20
	s, fs := coldServer(t, nil)
	c := s.dial(t)
	value := strings.Repeat("v", size)
	c.want(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s", size, value), "+OK\r\n")
	reader := s.dial(t) // its query buffer is small
	fetched := func() (values, all int64) {
		s.eachClient(func(c *client) bool {
			if n := c.cold.fetch.Memory(); n > 0 {
				values, all = values+n, all+c.memory()
			}
			return true
		})
		return values, all
	}
	release := fs.block()
	defer release()
	reader.send("GET k\r\n")
	eventually(t, "the read begins", func() bool { return fs.held.Load() > 0 })
	if values, all := fetched(); values < size || values > size+(64<<10) || all < values {
		t.Errorf("%d bytes are fetched, the client holds %d, the value has %d", values, all, size)
	}
	release()
	reader.wantReply(fmt.Sprintf("$%d\r\n%s\r\n", size, value))
	eventually(t, "the fetched value is let go", func() bool { values, _ := fetched(); return values == 0 })
}
