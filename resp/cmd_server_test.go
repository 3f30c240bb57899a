package resp

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func debugServer(t *testing.T) *testConn {
	t.Helper()
	return startServer(t, func(s *Settings) { s.DebugCommand = AccessYes }).dial(t)
}

func TestConfigCommand(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.want("CONFIG GET maxclients", "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n")
	c.want("CONFIG GET nonsense", "*0\r\n")
	c.want("CONFIG GET hz timeou?", "*4\r\n$2\r\nhz\r\n$2\r\n10\r\n$7\r\ntimeout\r\n$1\r\n0\r\n")
	c.want("CONFIG SET hz 20 timeout 5000", "+OK\r\n")
	c.want("CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n20\r\n")
	for line, want := range map[string]string{
		"CONFIG SET hz":                     "ERR wrong number of arguments for 'config|set' command",
		"CONFIG SET hz 1 timeout":           "ERR syntax error",
		"CONFIG SET nonsense 1":             "ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'",
		"CONFIG SET databases 1":            "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
		"CONFIG SET DIR /":                  "ERR CONFIG SET failed (possibly related to argument 'DIR') - can't set protected config",
		"CONFIG SET hz 30 timeout x":        "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
		"CONFIG SET hz 30 hz 40":            "ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter",
		"CONFIG SET hz 30 activedefrag yes": "ERR CONFIG SET failed (possibly related to argument 'activedefrag') - " + errNoDefrag,
		"CONFIG SET timeout -1":             "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive",
		"CONFIG SET maxmemory-clients x":    "ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - argument must be a memory or percent value",
		"CONFIG REWRITE":                    "ERR The server is running without a config file",
		"CONFIG NONSENSE":                   "ERR unknown subcommand 'NONSENSE'. Try CONFIG HELP.",
	} {
		c.want(line, "-"+want+"\r\n")
	}
	c.want("CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n20\r\n")
	c.do("HELLO 3")
	c.want("CONFIG GET hz", "%1\r\n$2\r\nhz\r\n$2\r\n20\r\n")
}

// What has no effect is warned about as at the start.
func TestConfigSetWarns(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	c.want("CONFIG SET shutdown-timeout 3 hz 20 appendonly yes", "+OK\r\n")
	want := "configuration: CONFIG SET: shutdown-timeout has no effect: "
	if got := srv.log.String(); strings.Count(got, "has no effect") != 1 || !strings.Contains(got, want) {
		t.Errorf("the log lacks %q, or warns of more:\n%s", want, got)
	}
}

// What the limit of open files does not allow is not promised.
func TestConfigMaxClients(t *testing.T) {
	srv := startServer(t, func(s *Settings) { s.MaxClients = 1 << 31 })
	c := srv.dial(t)
	if got := srv.config.Load().MaxClients; got != srv.maxConns {
		t.Errorf("maxclients is %d, allowed are %d", got, srv.maxConns)
	}
	c.want("CONFIG SET hz 20 maxclients 4000000000",
		fmt.Sprintf("-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to "+
			"handle the specified number of clients, try with %d\r\n", srv.maxConns))
	c.want("CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n")
}

// CONFIG SET reaches the storage.
func TestConfigReachesStore(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	c.want("CONFIG SET appendfsync always proto-max-bulk-len 2mb maxmemory-policy allkeys-lfu", "+OK\r\n")
	if fields, _ := c.info("bitkv"); fields["sync_policy"] != "always" {
		t.Errorf("sync_policy:%s", fields["sync_policy"])
	}
	if got := srv.store.MaxValueBytes(); got != 2<<20 {
		t.Errorf("MaxValueBytes = %d", got)
	}
	c.want("SET k v", "+OK\r\n")
	if got := c.do("OBJECT FREQ k"); !strings.HasPrefix(got, ":") {
		t.Errorf("OBJECT FREQ: %q", got)
	}
}

func TestSlowlog(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.want("CLIENT SETNAME me", "+OK\r\n")
	c.want("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3", "+OK\r\n")
	c.want("SLOWLOG RESET", "+OK\r\n")
	c.want("CONFIG SET masterauth secret", "+OK\r\n")
	c.send(line(append([]string{"DEL"}, strings.Fields(strings.Repeat("k ", 40))...)...))
	c.wantReply(":0\r\n")
	c.want("GET "+strings.Repeat("x", 130), "$-1\r\n")
	got := c.do("SLOWLOG GET -1")
	for _, want := range []string{
		"*3\r\n*6\r\n", "$10\r\n(redacted)\r\n", "*32\r\n", "$23\r\n... (10 more arguments)\r\n",
		strings.Repeat("x", 128) + "... (2 more bytes)\r\n", "$2\r\nme\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("SLOWLOG GET lacks %q: %q", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Error("SLOWLOG shows a password")
	}
	c.want("SLOWLOG LEN", ":3\r\n")
	if got := c.do("SLOWLOG GET 1"); !strings.HasPrefix(got, "*1\r\n*6\r\n") {
		t.Errorf("SLOWLOG GET 1: %q", got)
	}
	c.want("CONFIG SET slowlog-log-slower-than -1", "+OK\r\n")
	c.want("SLOWLOG RESET", "+OK\r\n")
	c.want("SLOWLOG LEN", ":0\r\n")
	for _, line := range []string{"SLOWLOG GET x", "SLOWLOG GET -2"} {
		c.want(line, "-ERR count should be greater than or equal to -1\r\n")
	}
}

func TestLatency(t *testing.T) {
	srv := startServer(t, func(s *Settings) { s.DebugCommand = AccessYes })
	c := srv.dial(t)
	if got := c.do("LATENCY DOCTOR"); !strings.Contains(got, "disabled") {
		t.Errorf("LATENCY DOCTOR: %q", got)
	}
	// Of the commands here only DEBUG SLEEP is measured: any other may be slow, too, also
	// the one that would set this. What CONFIG SET sets holds for itself already.
	changed := srv.config.Load().clone()
	changed.LatencyThresholdMs = 5
	srv.config.current.Store(changed)
	c.want("DEBUG SLEEP 0.01", "+OK\r\n")
	c.want("CONFIG SET latency-monitor-threshold 1000000000", "+OK\r\n")
	c.want("PING", "+PONG\r\n")
	if got := c.do("LATENCY LATEST"); !strings.HasPrefix(got, "*1\r\n*4\r\n$7\r\ncommand\r\n:") {
		t.Errorf("LATENCY LATEST: %q", got)
	}
	if got := c.do("LATENCY HISTORY command"); !strings.HasPrefix(got, "*1\r\n*2\r\n:") {
		t.Errorf("LATENCY HISTORY: %q", got)
	}
	if got := c.do("LATENCY GRAPH command"); !strings.Contains(got, "command - high ") {
		t.Errorf("LATENCY GRAPH: %q", got)
	}
	if got := c.do("LATENCY DOCTOR"); !strings.Contains(got, "1. command: 1 latency spikes") {
		t.Errorf("LATENCY DOCTOR: %q", got)
	}
	if got := c.do("LATENCY HISTOGRAM debug nonsense config"); !strings.HasPrefix(got, "*4\r\n$5\r\ndebug\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n") {
		t.Errorf("LATENCY HISTOGRAM: %q", got)
	}
	c.want("LATENCY GRAPH nonsense", "-ERR No samples available for event 'nonsense'\r\n")
	c.want("LATENCY RESET nonsense command", ":1\r\n")
	c.want("LATENCY LATEST", "*0\r\n")
	c.want("LATENCY RESET", ":0\r\n")
}

func TestLatencySeries(t *testing.T) {
	l := new(latencyEvents)
	l.add("e", 100, 5)
	l.add("e", 100, 9) // the same second: the worst counts
	l.add("e", 100, 7)
	for i := range int64(latencySamples) {
		l.add("e", 101+i, i)
	}
	s, _ := l.get("e")
	if len(s.samples) != latencySamples || s.samples[0] != (latencySample{101, 0}) || s.worstMs != latencySamples-1 {
		t.Errorf("%d samples from %v, worst %d", len(s.samples), s.samples[0], s.worstMs)
	}
	for i := range maxLatencyEvents + 10 {
		l.add(fmt.Sprint("event", i), 1, 1)
	}
	if n := len(l.names()); n != maxLatencyEvents {
		t.Errorf("%d kinds of events are kept", n)
	}
}

func TestLatencyGraph(t *testing.T) {
	s := latencySeries{samples: []latencySample{{100, 10}, {130, 20}, {160, 40}, {170, 80}}, worstMs: 90}
	got := latencyGraph("command", s, 200)
	want := "command - high 80 ms, low 10 ms (all time high 90 ms)\n" + strings.Repeat("-", 80) + "\n" +
		"   #\n   |\n  #|\n_#||\n    \n1143\nmm00\n  ss\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestSaveAndMerge(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.want("SET k v", "+OK\r\n")
	c.want("BGSAVE NONSENSE", "-ERR syntax error\r\n")
	c.want("BGSAVE SCHEDULE", "+Background saving started\r\n")
	field := func(name string) string {
		fields, _ := c.info("everything")
		return fields[name]
	}
	eventually(t, "BGSAVE ends", func() bool { return field("rdb_bgsave_in_progress") == "0" && field("rdb_saves") == "1" })
	if n := field("rdb_changes_since_last_save"); n != "0" {
		t.Errorf("rdb_changes_since_last_save:%s", n)
	}
	before := time.Now().Unix()
	c.want("SAVE", "+OK\r\n")
	var last int64
	if _, err := fmt.Sscanf(c.do("LASTSAVE"), ":%d\r\n", &last); err != nil || last < before || last > time.Now().Unix() {
		t.Errorf("LASTSAVE %d, %v; SAVE was sent at %d", last, err, before)
	}
	c.want("BGREWRITEAOF", "+Background append only file rewriting started\r\n")
	eventually(t, "the merge ends", func() bool { return field("aof_rewrite_in_progress") == "0" && field("aof_rewrites") == "1" })
	if got := field("aof_last_bgrewrite_status"); got != "ok" {
		t.Errorf("aof_last_bgrewrite_status:%s", got)
	}
	c.want("GET k", "$1\r\nv\r\n")
}

func TestShutdownRequest(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	for line, want := range map[string]string{
		"SHUTDOWN NONSENSE":    "ERR syntax error",
		"SHUTDOWN SAVE NOSAVE": "ERR syntax error",
		"SHUTDOWN ABORT NOW":   "ERR syntax error",
		"SHUTDOWN ABORT":       "ERR No shutdown in progress.",
	} {
		c.want(line, "-"+want+"\r\n")
	}
	c.send("SHUTDOWN NOSAVE NOW FORCE\r\n")
	select {
	case r := <-srv.ShutdownRequested():
		if r != (ShutdownRequest{Force: true, Now: true, NoSave: true}) {
			t.Errorf("asked for %+v", r)
		}
	case <-time.After(patience):
		t.Error("nobody was asked to end")
	}
	// The client waits until the data directory is free.
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before HangUp: read %d bytes, %v", n, err)
	}
	if err := errors.Join(srv.HangUp(), c.SetReadDeadline(time.Now().Add(patience))); err != nil {
		t.Error(err)
	}
	c.wantClosed()
}

func TestMemoryCommand(t *testing.T) {
	c := startServer(t, nil).dial(t)
	c.want("SET k v", "+OK\r\n")
	c.want("MEMORY USAGE nothing", "$-1\r\n")
	if got := c.do("MEMORY USAGE k SAMPLES 0"); !strings.HasPrefix(got, ":") {
		t.Errorf("MEMORY USAGE: %q", got)
	}
	for _, line := range []string{"MEMORY USAGE k SAMPLES", "MEMORY USAGE k SAMPLES -1", "MEMORY USAGE k NONSENSE 1"} {
		c.want(line, "-ERR syntax error\r\n")
	}
	c.want("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range\r\n")
	c.want("MEMORY PURGE", "+OK\r\n")
	c.do("HELLO 3")
	got := c.do("MEMORY STATS")
	if !strings.HasPrefix(got, "%33\r\n") || !strings.Contains(got, "$10\r\nkeys.count\r\n:1\r\n") || !strings.Contains(got, "$13\r\nfragmentation\r\n,") {
		t.Errorf("MEMORY STATS: %q", got)
	}
	for _, line := range []string{"MEMORY DOCTOR", "MEMORY MALLOC-STATS"} {
		if got := c.do(line); !strings.HasPrefix(got, "=") {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestClusterOff(t *testing.T) {
	c := startServer(t, nil).dial(t)
	for _, line := range []string{"CLUSTER INFO", "CLUSTER NODES", "CLUSTER KEYSLOT k", "READONLY", "READWRITE", "ASKING"} {
		c.want(line, "-ERR This instance has cluster support disabled\r\n")
	}
	c.want("CLUSTER NONSENSE", "-ERR unknown subcommand 'NONSENSE'. Try CLUSTER HELP.\r\n")
	c.want("SENTINEL MASTERS", "-ERR unknown command 'SENTINEL', with args beginning with: 'MASTERS' \r\n")
	c.want("MODULE LIST", "*0\r\n")
}

func TestTime(t *testing.T) {
	c := startServer(t, nil).dial(t)
	var seconds, usec, n int64
	before := time.Now().Unix()
	reply := strings.ReplaceAll(c.do("TIME"), "\r\n", " ")
	if _, err := fmt.Sscanf(reply, "*2 $10 %d $%d %d ", &seconds, &n, &usec); err != nil {
		t.Fatalf("%q: %v", reply, err)
	}
	if after := time.Now().Unix(); seconds < before || seconds > after || usec < 0 || usec > 999_999 {
		t.Errorf("TIME %d %d, asked between %d and %d", seconds, usec, before, after)
	}
}
