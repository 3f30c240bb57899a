package resp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

const oomReply = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

// limitTo sets maxmemory to what is in use and so much more.
func (c *testConn) limitTo(policy string, more int64) (limit int64) {
	c.tb.Helper()
	v := c.used("used_memory", "mem_not_counted_for_evict")
	limit = v[0] - v[1] + more
	c.want(fmt.Sprintf("CONFIG SET maxmemory-policy %s maxmemory %d", policy, limit), "+OK\r\n")
	return limit
}

// stat returns a number of INFO stats.
func (c *testConn) stat(name string) int64 {
	c.tb.Helper()
	fields, _ := c.info("stats")
	n, err := strconv.ParseInt(fields[name], 10, 64)
	if err != nil {
		c.tb.Fatalf("%s is %q", name, fields[name])
	}
	return n
}

// size is DBSIZE.
func (c *testConn) size() (n int64) {
	c.tb.Helper()
	if _, err := fmt.Sscanf(c.do("DBSIZE"), ":%d", &n); err != nil {
		c.tb.Fatal(err)
	}
	return n
}

// untilTrue polls, for what the background does.
func untilTrue(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

// pageBytes is how far one command may go beyond the limit: by what it needs and
// the room that comes with it, and by the buffers of INFO, which tells it.
const pageBytes = 48 << 10

// Under the policies that may take any key, writes never fail and memory stays
// within the limit.
func TestEvictionKeepsTheLimit(t *testing.T) {
	for _, policy := range []string{
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		t.Run(policy, func(t *testing.T) {
			c := startServer(t, nil).dial(t)
			limit := c.limitTo(policy, 200<<10)
			for i := range 6000 {
				c.want(fmt.Sprintf("SETEX key:%d 10000 value-of-the-key", i), "+OK\r\n")
			}
			v := c.used("used_memory", "mem_not_counted_for_evict", "maxmemory")
			if v[2] != limit || v[0]-v[1] > limit+pageBytes {
				t.Errorf("in use %d less %d, maxmemory %d, set to %d", v[0], v[1], v[2], limit)
			}
			// INFO's own buffers may be what evicts the next keys.
			evicted, size, after := c.stat("evicted_keys"), c.size(), c.stat("evicted_keys")
			if gone := 6000 - size; gone < evicted || gone > after || evicted < 1000 || size < 50 {
				t.Errorf("%d to %d keys evicted, %d left", evicted, after, size)
			}
		})
	}
}

// The volatile policies take nothing that has no expiry: then writes are refused,
// and what frees memory is not.
func TestEvictionVolatileOnly(t *testing.T) {
	for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		t.Run(policy, func(t *testing.T) {
			c := startServer(t, nil).dial(t)
			for i := range 500 {
				c.want(fmt.Sprintf("SET stays:%d value", i), "+OK\r\n")
				c.want(fmt.Sprintf("SET goes:%d value EX 10000", i), "+OK\r\n")
			}
			c.limitTo(policy, 0)
			stays := 500
			for ; stays < 5000; stays++ {
				reply := c.do(fmt.Sprintf("SET stays:%d value", stays))
				if reply == oomReply {
					break
				}
				if reply != "+OK\r\n" {
					t.Fatalf("SET: %q", reply)
				}
			}
			if n := c.stat("evicted_keys"); n != 500 {
				t.Errorf("%d keys evicted, want all 500 that expire", n)
			}
			if n := c.size(); n != int64(stays) {
				t.Errorf("%d keys left of %d that never expire", n, stays)
			}
			c.want("GET stays:0", "$5\r\nvalue\r\n")
			c.want("DEL stays:0", ":1\r\n")
		})
	}
}

// What noeviction refuses, and what not; in MULTI, too.
func TestOutOfMemory(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	c.want("SET k v", "+OK\r\n")
	c.want("MULTI", "+OK\r\n")
	c.want("SET queued 1", "+QUEUED\r\n")
	other := srv.dial(t)
	other.want("CONFIG SET maxmemory 1", "+OK\r\n")
	c.want("EXEC", "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n")
	for line, want := range map[string]string{
		"SET k w": oomReply, "LPUSH l 1": oomReply, "COPY k k2": oomReply, "SORT l STORE m": oomReply,
		"GET k": "$1\r\nv\r\n", "EXPIRE k 100": ":1\r\n", "DEL nothing": ":0\r\n", "PING": "+PONG\r\n",
		"SETRANGE k 100 x": oomReply, "RENAME k k": "+OK\r\n", "LPOP l": "$-1\r\n", "MULTI": "+OK\r\n",
	} {
		conn := srv.dial(t)
		if got := conn.do(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	c.want("MULTI", "+OK\r\n")
	c.want("GET k", oomReply) // queueing takes memory, whatever the command
	c.want("DISCARD", "+OK\r\n")
	c.want("MULTI", "+OK\r\n")
	c.want("PING", oomReply)
	c.want("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")
	if n := c.stat("evicted_keys"); n != 0 {
		t.Errorf("%d keys evicted", n)
	}
	if n := c.stat("current_eviction_exceeded_time"); n < 0 {
		t.Errorf("over the limit for %d ms", n)
	}
	other.want("CONFIG SET maxmemory 0", "+OK\r\n")
	c.want("SET k w", "+OK\r\n")
	// The background may have begun its look before the limit was lifted.
	untilTrue(t, "memory is not over the limit any more", func() bool { return c.stat("current_eviction_exceeded_time") == 0 })
}

// Lowering maxmemory evicts without any further command, in the background if it
// takes long, and large values count at once.
func TestLowerMaxMemory(t *testing.T) {
	c := startServer(t, nil).dial(t)
	before := c.used("used_memory_dataset")[0]
	for i := range 20 {
		var line strings.Builder
		fmt.Fprintf(&line, "SADD set:%d", i)
		for j := range 3000 {
			fmt.Fprintf(&line, " member:%d", j)
		}
		c.want(line.String(), ":3000\r\n")
	}
	grown := c.used("used_memory_dataset")[0] - before
	c.want("CONFIG SET maxmemory-eviction-tenacity 0", "+OK\r\n")
	limit := c.limitTo("allkeys-lru", -grown/2)
	untilTrue(t, "memory is within the lowered limit", func() bool {
		v := c.used("used_memory", "mem_not_counted_for_evict")
		return v[0]-v[1] <= limit
	})
	if n := c.size(); n < 8 || n > 10 {
		t.Errorf("%d sets of 20 are left", n)
	}
}

// CLIENT PAUSE changes nothing: no eviction either.
func TestEvictionPauses(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	for i := range 100 {
		c.want(fmt.Sprintf("SET key:%d v", i), "+OK\r\n")
	}
	c.want("CLIENT PAUSE 100000 WRITE", "+OK\r\n")
	c.want("CONFIG SET maxmemory-policy allkeys-lru maxmemory 1", "+OK\r\n")
	for range 20 {
		c.do("GET key:1")
	}
	if n := c.size(); n != 100 {
		t.Errorf("%d keys are left in a pause", n)
	}
	c.want("CLIENT UNPAUSE", "+OK\r\n")
	c.do("GET key:1")
	untilTrue(t, "all keys are evicted", func() bool { return c.size() == 0 })
}

func TestMaxMemoryClients(t *testing.T) {
	srv := startServer(t, func(s *Settings) { s.MaxMemoryClients = 300 << 10 })
	c := srv.dial(t)
	c.want("CLIENT NO-EVICT ON", "+OK\r\n")
	for range 3 { // each is within the limit
		big := srv.dial(t)
		half := "*2\r\n$4\r\nPING\r\n$200000\r\n" + strings.Repeat("x", 150_000)
		if _, err := big.Write([]byte(half)); err != nil && !isReset(err) { // it may be the one
			t.Fatal(err)
		}
	}
	untilTrue(t, "clients are evicted", func() bool { return c.stat("evicted_clients") >= 2 })
	c.want("PING", "+PONG\r\n")
	if n := c.stat("evicted_clients"); n != 2 {
		t.Errorf("%d clients were evicted, one could stay", n)
	}
}

func TestClientsLimit(t *testing.T) {
	for _, tt := range []struct{ memory, clients, want int64 }{
		{0, 0, 0},
		{0, 1, minClientsLimit},
		{0, 1 << 30, 1 << 30},
		{0, -50, 0},
		{1 << 30, -50, 1 << 29},
		{1 << 20, -1, minClientsLimit},
	} {
		s := Settings{MaxMemory: tt.memory, MaxMemoryClients: tt.clients}
		if got := s.clientsLimit(); got != tt.want {
			t.Errorf("maxmemory %d, maxmemory-clients %d: %d, want %d", tt.memory, tt.clients, got, tt.want)
		}
	}
}

func TestEvictionBudget(t *testing.T) {
	for tenacity, want := range map[int64]time.Duration{
		0: 0, 1: 50 * time.Microsecond, 10: 500 * time.Microsecond, 11: 575 * time.Microsecond, 100: math.MaxInt64,
	} {
		if got := evictionBudget(tenacity); got != want {
			t.Errorf("tenacity %d: %v, want %v", tenacity, got, want)
		}
	}
	if got := evictionBudget(99); got < time.Minute || got > 3*time.Minute {
		t.Errorf("tenacity 99: %v, want about two minutes", got)
	}
}

// maxdisk refuses what may add data, and nothing else, until it is raised.
func TestMaxDisk(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.want("SET k v", "+OK\r\n")
	c.want("CONFIG SET maxdisk 1", "+OK\r\n")
	c.want("SET k w", "-"+errMaxDisk+"\r\n")
	c.want("INCR n", "-"+errMaxDisk+"\r\n")
	c.want("GET k", "$1\r\nv\r\n")
	c.want("DEL k", ":1\r\n")
	fields, _ := c.info("persistence")
	if used, err := strconv.ParseInt(fields["disk_used"], 10, 64); err != nil || used < 1 || fields["maxdisk"] != "1" {
		t.Errorf("disk_used %q, maxdisk %q", fields["disk_used"], fields["maxdisk"])
	}
	wantStatus := func(storage, aof string) {
		t.Helper()
		if s, _ := c.info("bitkv"); s["storage_status"] != storage {
			t.Errorf("storage_status is %q, want %q", s["storage_status"], storage)
		}
		if s, _ := c.info("persistence"); s["aof_last_write_status"] != aof {
			t.Errorf("aof_last_write_status is %q, want %q", s["aof_last_write_status"], aof)
		}
	}
	wantStatus("maxdisk", "err")
	c.want("CONFIG SET maxdisk 0", "+OK\r\n")
	c.want("SET k w", "+OK\r\n")
	wantStatus("ok", "ok")
}
