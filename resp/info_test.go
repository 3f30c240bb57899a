package resp

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitkv/types"
)

// info asks for INFO and returns its fields and its sections, in order.
func (c *testConn) info(args string) (fields map[string]string, sections []string) {
	c.tb.Helper()
	fields = make(map[string]string)
	for l := range strings.SplitSeq(c.do("INFO "+args), "\r\n") {
		if title, ok := strings.CutPrefix(l, "# "); ok {
			sections = append(sections, title)
		} else if name, value, ok := strings.Cut(l, ":"); ok {
			fields[name] = value
		}
	}
	return fields, sections
}

func TestInfoSections(t *testing.T) {
	c := startServer(t, nil).dial(t)
	tests := []struct{ args, want string }{
		{"", "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace Bitkv"},
		{"default", "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace Bitkv"},
		{"all", "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace Bitkv"},
		{"everything", "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace Bitkv"},
		{"cpu SERVER cpu", "Server CPU"},
		{"commandstats", "Commandstats"},
		{"nonsense", ""},
		{"nonsense bitkv", "Bitkv"},
	}
	for _, tt := range tests {
		if _, got := c.info(tt.args); strings.Join(got, " ") != tt.want {
			t.Errorf("INFO %s has sections %q, want %s", tt.args, got, tt.want)
		}
	}
	c.do("HELLO 3")
	if got := c.do("INFO cluster"); got != "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n" {
		t.Errorf("over RESP3: %q", got)
	}
}

// Every field of the section that no Redis has is explained in docs.
func TestInfoBitkvIsDocumented(t *testing.T) {
	_, text, found := strings.Cut(startServer(t, nil).dial(t).do("INFO bitkv"), "# Bitkv\r\n")
	if !found {
		t.Fatal("no section Bitkv")
	}
	docs := ""
	for _, name := range []string{"running.md", "larger-than-memory.md"} {
		b, err := os.ReadFile(filepath.Join("..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		docs += string(b)
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if !regexp.MustCompile(`[ ,|\x60]` + name + `[ ,|\x60]`).MatchString(docs) {
			t.Errorf("docs say nothing of %s", name)
		}
	}
}

// The fields that tools read, which USERS.md lists.
func TestInfoFields(t *testing.T) {
	c := startServer(t, nil).dial(t)
	fields, _ := c.info("everything")
	for name := range strings.FieldsSeq(`redis_version bitkv_version redis_mode run_id tcp_port uptime_in_seconds
		uptime_in_days executable config_file connected_clients blocked_clients maxclients used_memory
		used_memory_human used_memory_peak used_memory_peak_human used_memory_rss used_memory_lua maxmemory
		maxmemory_policy mem_fragmentation_ratio mem_allocator loading rdb_changes_since_last_save
		rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status aof_enabled aof_rewrite_in_progress
		aof_last_write_status aof_current_size total_connections_received total_commands_processed
		instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes keyspace_hits keyspace_misses
		expired_keys evicted_keys total_error_replies total_forks tracking_total_keys lazyfree_pending_objects
		lazyfreed_objects role connected_slaves master_replid used_cpu_sys used_cpu_user cluster_enabled
		data_files live_bytes dead_bytes merge_running merge_progress_perc sync_lag_ms keydir_bytes
		pinned_bytes checksum_errors storage_status`) {
		if _, ok := fields[name]; !ok {
			t.Errorf("INFO lacks %s", name)
		}
	}
	if fields["redis_version"] != RedisVersion || fields["loading"] != "0" || len(fields["run_id"]) != 40 {
		t.Errorf("redis_version %s, loading %s, run_id %s", fields["redis_version"], fields["loading"], fields["run_id"])
	}
}

// The values are true: they follow what was done.
func TestInfoValues(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	number := func(fields map[string]string, name string) int64 {
		t.Helper()
		n, err := strconv.ParseInt(fields[name], 10, 64)
		if err != nil {
			t.Errorf("%s is %q", name, fields[name])
		}
		return n
	}
	before, _ := c.info("everything")
	c.want("SET k "+strings.Repeat("v", 1000), "+OK\r\n")
	c.want("SET e x PX 3600000", "+OK\r\n")
	c.do("GET k")
	c.do("GET nothing")
	c.do("NONSENSE")
	c.do("INCR k")
	other := srv.dial(t)
	other.want("PING", "+PONG\r\n")
	after, _ := c.info("everything")
	for name, want := range map[string]int64{
		"keyspace_hits": 1, "keyspace_misses": 1, "total_error_replies": 2, "connected_clients": 1,
		"total_connections_received": 1, "rdb_changes_since_last_save": 2, "total_commands_processed": 7,
	} {
		if got := number(after, name) - number(before, name); got != want {
			t.Errorf("%s rose by %d, want %d", name, got, want)
		}
	}
	if n := number(after, "live_bytes") - number(before, "live_bytes"); n < 1000 || n > 1200 {
		t.Errorf("live_bytes rose by %d", n)
	}
	for _, name := range []string{"total_net_input_bytes", "total_net_output_bytes", "keydir_bytes", "written_bytes"} {
		if number(after, name) <= number(before, name) {
			t.Errorf("%s did not rise: %s, then %s", name, before[name], after[name])
		}
	}
	for _, name := range []string{"used_memory", "used_memory_rss", "used_memory_peak", "total_system_memory"} {
		if number(after, name) < 100_000 {
			t.Errorf("%s is %s", name, after[name])
		}
	}
	if !strings.HasPrefix(after["db0"], "keys=2,expires=1,avg_ttl=") {
		t.Errorf("db0:%s", after["db0"])
	}
	for name, want := range map[string]string{"errorstat_ERR": "count=2"} {
		if after[name] != want {
			t.Errorf("%s:%s, want %s", name, after[name], want)
		}
	}
	if got := after["cmdstat_set"]; !strings.HasPrefix(got, "calls=2,usec=") || !strings.HasSuffix(got, ",rejected_calls=0,failed_calls=0") {
		t.Errorf("cmdstat_set:%s", got)
	}
	if got := after["cmdstat_incr"]; !strings.HasSuffix(got, ",failed_calls=1") {
		t.Errorf("cmdstat_incr:%s", got)
	}
	if got := after["latency_percentiles_usec_set"]; !strings.HasPrefix(got, "p50=") || strings.Count(got, "p99") != 2 {
		t.Errorf("latency_percentiles_usec_set:%s", got)
	}
	c.want("SAVE", "+OK\r\n")
	c.want("CONFIG RESETSTAT", "+OK\r\n")
	reset, _ := c.info("everything")
	for _, name := range []string{"keyspace_hits", "keyspace_misses", "total_error_replies", "rdb_changes_since_last_save"} {
		if number(reset, name) != 0 {
			t.Errorf("%s is %s after SAVE and CONFIG RESETSTAT", name, reset[name])
		}
	}
	if _, ok := reset["cmdstat_set"]; ok {
		t.Error("cmdstat_set survives CONFIG RESETSTAT")
	}
}

// INFO and what asks the storage like it must not wait for locks that their own
// EXEC holds.
func TestInfoInExec(t *testing.T) {
	c := startServer(t, func(s *Settings) { s.DebugCommand = AccessYes }).dial(t)
	c.want("MULTI", "+OK\r\n")
	for _, line := range []string{"SET a 1", "INFO everything", "MEMORY STATS", "MEMORY DOCTOR", "BGREWRITEAOF", "CONFIG GET *", "DEBUG DIGEST", "DEBUG SLEEP 0", "FLUSHALL"} {
		c.want(line, "+QUEUED\r\n")
	}
	if got := c.do("EXEC"); !strings.HasPrefix(got, "*9\r\n+OK\r\n$") {
		t.Errorf("EXEC: %.40q", got)
	}
}

func TestLoadingProgress(t *testing.T) {
	srv, err := NewServer(Options{Config: NewConfig(nil)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv.Serve(l)
	defer srv.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c := &testConn{t, conn, bufio.NewReader(conn)}
	c.want("GET k", "-LOADING Redis is loading the dataset in memory\r\n")
	srv.Loading(types.Progress{Work: "load", DoneBytes: 25, TotalBytes: 100, Keys: 7, ETA: 1500 * time.Millisecond})
	c.want("GET k", "-LOADING Redis is loading the dataset in memory (25% done, about 2 seconds left)\r\n")
	c.want("CONFIG SET appendonly yes", "-LOADING Redis is loading the dataset in memory (25% done, about 2 seconds left)\r\n")
	fields, _ := c.info("everything")
	for name, want := range map[string]string{
		"loading": "1", "loading_total_bytes": "100", "loading_loaded_bytes": "25",
		"loading_loaded_perc": "25.00", "loading_eta_seconds": "1", "rdb_last_load_keys_loaded": "7",
	} {
		if fields[name] != want {
			t.Errorf("%s:%s, want %s", name, fields[name], want)
		}
	}
	for _, line := range []string{"MEMORY STATS", "CONFIG GET port", "SLOWLOG GET", "LATENCY LATEST", "MEMORY DOCTOR"} {
		if got := c.do(line); strings.HasPrefix(got, "-") && !strings.HasPrefix(got, "-LOADING") {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.00K", 1536: "1.50K", 3 << 20: "3.00M", 5 << 30: "5.00G", 1 << 40: "1.00T"} {
		if got := humanBytes(n); got != want {
			t.Errorf("humanBytes(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestSampler(t *testing.T) {
	srv := &Server{}
	p := new(sampler)
	now := time.Unix(1000, 0)
	p.sample(now, srv)
	for range rateSamples {
		now = now.Add(100 * time.Millisecond)
		srv.stats.commands.Add(50)
		p.sample(now, srv)
	}
	if got := p.rate(rateCommands); got < 499 || got > 501 {
		t.Errorf("rate %v, want 500", got)
	}
	srv.stats.commands.Store(0) // CONFIG RESETSTAT
	p.sample(now.Add(100*time.Millisecond), srv)
	if got := p.rate(rateCommands); got < 0 {
		t.Errorf("rate %v after a reset", got)
	}
	p.reset()
	if got := p.rate(rateCommands); got != 0 {
		t.Errorf("rate %v, want 0", got)
	}
}

// What is counted about fields that expire, keys that are waited for and payloads.
func TestInfoCounts(t *testing.T) {
	srv := startServer(t, nil)
	c := srv.dial(t)
	check := func(want map[string]string) {
		t.Helper()
		fields, _ := c.info("everything")
		for name, value := range want {
			if fields[name] != value {
				t.Errorf("%s is %s, want %s", name, fields[name], value)
			}
		}
	}
	c.want("HSET h a 1 b 2 c 3", ":3\r\n")
	c.want("HEXPIRE h 1000 FIELDS 1 a", "*1\r\n:1\r\n")
	check(map[string]string{"keys": "1", "expired_subkeys": "0", "total_blocking_keys": "0", "total_blocking_keys_on_nokey": "0"})
	c.want("HEXPIREAT h 1 FIELDS 2 b c", "*2\r\n:2\r\n:2\r\n")
	check(map[string]string{"keys": "1", "expired_subkeys": "2", "expired_keys": "0"})
	first, second := srv.blockAs(t, "BLPOP q r 0"), srv.blockAs(t, "BLPOP q s 0")
	check(map[string]string{"total_blocking_keys": "3", "blocked_clients": "2"})
	c.want("RPUSH q x y", ":2\r\n")
	first.wantReply("*2\r\n$1\r\nq\r\n$1\r\nx\r\n")
	second.wantReply("*2\r\n$1\r\nq\r\n$1\r\ny\r\n")
	srv.noneWaiting(t)
	check(map[string]string{"total_blocking_keys": "0", "blocked_clients": "0", "dump_payload_sanitizations": "0"})
	plain := "\x01\x02\x01\x61\xc0\x05\x09\x00\x97\x51\x26\x45\xa4\x49\xd8\x26"
	listpack := "\x10\x0d\x0d\x00\x00\x00\x02\x00\x81\x61\x02\x81\x62\x02\xff\x09\x00\x09\xce\x2e\xcb\x7c\x76\x8e\x7d"
	for i, payload := range []string{plain, listpack} {
		c.send("*4\r\n$7\r\nRESTORE\r\n$2\r\nr" + strconv.Itoa(i) + "\r\n$1\r\n0\r\n$" + strconv.Itoa(len(payload)) + "\r\n" + payload + "\r\n")
		c.wantReply("+OK\r\n")
	}
	check(map[string]string{"dump_payload_sanitizations": "1", "keys": "3"})
	c.want("CONFIG RESETSTAT", "+OK\r\n")
	check(map[string]string{"dump_payload_sanitizations": "0", "expired_subkeys": "0"})
}

func TestStorageStatus(t *testing.T) {
	for want, stats := range map[string]types.EngineStats{
		"ok":          {},
		"maxdisk":     {MaxDiskReached: true, DiskFull: true},
		"disk full":   {DiskFull: true},
		`"it failed"`: {Failure: errors.New("it failed"), DiskFull: true},
	} {
		if got := storageStatus(&stats); got != want {
			t.Errorf("storageStatus(%+v) is %s, want %s", stats, got, want)
		}
	}
}
