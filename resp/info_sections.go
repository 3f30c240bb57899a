package resp

import (
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// RedisVersion is the release of Redis whose commands this server has. Clients
// and frameworks decide by it what they may use.
const RedisVersion = "7.2.4"

func infoServer(c *client, t *infoText) {
	s := c.srv
	cfg := s.config.Load()
	now := time.Now()
	uptime := int64(now.Sub(s.started) / time.Second)
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	t.title("Server")
	t.str("redis_version", RedisVersion)
	t.str("bitkv_version", s.opt.Version)
	t.str("redis_git_sha1", "00000000")
	t.int("redis_git_dirty", 0)
	t.str("redis_build_id", "0")
	t.str("redis_mode", "standalone")
	t.str("os", systemName())
	t.int("arch_bits", strconv.IntSize)
	t.str("go_version", runtime.Version())
	t.str("multiplexing_api", s.multiplexing())
	t.int("process_id", int64(os.Getpid()))
	t.str("process_supervised", cfg.Supervised)
	t.str("run_id", s.runID)
	t.int("tcp_port", s.tcpPort())
	t.int("server_time_usec", now.UnixMicro())
	t.int("uptime_in_seconds", uptime)
	t.int("uptime_in_days", uptime/86400)
	t.int("hz", cfg.Hz)
	t.int("configured_hz", cfg.Hz)
	t.int("lru_clock", now.Unix()&(1<<24-1))
	t.str("executable", executable)
	t.str("config_file", s.config.File())
	t.flag("io_threads_active", s.looping.Load() && cfg.IOThreads > 1)
}

// multiplexing is what waits for the clients: the event loops, or a goroutine of
// each connection.
func (s *Server) multiplexing() string {
	if s.looping.Load() {
		return "epoll"
	}
	return "goroutines"
}

// ioDriver is the same in the words of the directive io-driver.
func (s *Server) ioDriver() string {
	if s.looping.Load() {
		return driverEpoll
	}
	return driverNet
}

func infoClients(c *client, t *infoText) {
	s := c.srv
	var input, output int64
	s.eachClient(func(c *client) bool {
		input = max(input, c.queryLen.Load()+c.queryFree.Load())
		output = max(output, c.out.pending.Load())
		return true
	})
	t.title("Clients")
	t.int("connected_clients", int64(s.clients.len()))
	t.int("cluster_connections", 0)
	t.int("maxclients", s.config.Load().MaxClients)
	t.int("client_recent_max_input_buffer", input)
	t.int("client_recent_max_output_buffer", output)
	t.int("blocked_clients", s.stats.blocked.Load())
	t.int("tracking_clients", 0)
	t.int("pubsub_clients", 0)
	t.int("watching_clients", s.stats.watchers.Load())
	t.int("clients_in_timeout_table", s.stats.blocked.Load())
	t.int("total_watched_keys", s.stats.keysWatched.Load())
	t.int("total_blocking_keys", s.storeStats().Awaited)
	t.int("total_blocking_keys_on_nokey", 0) // no command waits for a key to go
}

func infoMemory(c *client, t *infoText) {
	s := c.srv
	cfg := s.config.Load()
	u, m := s.sampleMemory(), readMemory()
	used, peak, start := u.total(), s.memory.peak.Load(), s.memory.start.Load()
	rss, rssFile := residentBytes()
	anonymous := rss - rssFile
	t.title("Memory")
	t.bytes("used_memory", used)
	// Pages of mapped data files are the page cache's, which gives them back when
	// somebody needs memory: they are beside what the process has, not part of it.
	t.bytes("used_memory_rss", anonymous)
	t.bytes("used_memory_rss_file", rssFile)
	t.bytes("used_memory_peak", peak)
	t.percent("used_memory_peak_perc", used, peak)
	t.int("used_memory_overhead", u.overhead())
	t.int("used_memory_startup", start)
	t.int("used_memory_dataset", u.dataset())
	t.percent("used_memory_dataset_perc", u.dataset(), max(used-start, u.dataset()))
	t.int("used_memory_keys", u.data.Keys)
	t.int("used_memory_collections", u.data.Collections)
	t.int("used_memory_expiry", u.data.Expiry)
	t.int("used_memory_cache", u.data.Cache)
	t.int("free_memory_keys", u.data.Holes)
	t.int("allocator_allocated", m.objects)
	t.int("allocator_active", m.objects+m.unused)
	t.int("allocator_resident", m.resident())
	t.bytes("total_system_memory", systemMemory())
	t.bytes("used_memory_lua", 0)
	t.int("used_memory_vm_eval", 0)
	t.int("used_memory_scripts_eval", 0)
	t.int("number_of_cached_scripts", 0)
	t.int("number_of_functions", 0)
	t.int("number_of_libraries", 0)
	t.int("used_memory_vm_functions", 0)
	t.bytes("used_memory_vm_total", 0)
	t.int("used_memory_functions", 0)
	t.bytes("used_memory_scripts", 0)
	t.bytes("maxmemory", cfg.MaxMemory)
	t.str("maxmemory_policy", cfg.MaxMemoryPolicy)
	t.float("allocator_frag_ratio", ratio(m.objects+m.unused, m.objects), 2)
	t.int("allocator_frag_bytes", m.unused)
	t.float("allocator_rss_ratio", ratio(m.resident(), m.objects+m.unused), 2)
	t.int("allocator_rss_bytes", m.resident()-m.objects-m.unused)
	t.float("rss_overhead_ratio", ratio(anonymous, m.resident()), 2)
	t.int("rss_overhead_bytes", anonymous-m.resident())
	t.float("mem_fragmentation_ratio", ratio(anonymous, used), 2)
	t.int("mem_fragmentation_bytes", anonymous-used)
	t.int("mem_not_counted_for_evict", u.data.Tail+u.data.Cache)
	t.int("mem_replication_backlog", 0)
	t.int("mem_total_replication_buffers", 0)
	t.int("mem_clients_slaves", 0)
	t.int("mem_clients_normal", u.clients)
	t.int("mem_cluster_links", 0)
	t.int("mem_aof_buffer", u.data.Tail)
	t.str("mem_allocator", runtime.Version())
	t.int("active_defrag_running", 0)
	t.int("lazyfree_pending_objects", int64(t.engine.Reaping))
	t.int("lazyfreed_objects", s.storeStats().Lazyfreed)
}

// ratio is a/b, or 0.
func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func infoPersistence(c *client, t *infoText) {
	s := c.srv
	a := s.admin
	t.title("Persistence")
	s.infoLoading(t)
	t.int("async_loading", 0)
	t.int("current_cow_peak", 0)
	t.int("current_cow_size", 0)
	t.int("current_cow_size_age", 0)
	t.float("current_fork_perc", 0, 2)
	t.int("current_save_keys_processed", 0)
	t.int("current_save_keys_total", 0)
	t.int("rdb_changes_since_last_save", s.storeStats().Dirty)
	t.flag("rdb_bgsave_in_progress", a.saving.Load())
	t.int("rdb_last_save_time", a.lastSave.Load())
	t.str("rdb_last_bgsave_status", status(a.saveFailed.Load()))
	t.int("rdb_last_bgsave_time_sec", a.saveTook.Load())
	t.int("rdb_current_bgsave_time_sec", a.runningSeconds(&a.saveStarted))
	t.int("rdb_saves", a.saves.Load())
	t.int("rdb_last_cow_size", 0)
	t.int("rdb_last_load_keys_expired", 0)
	t.int("rdb_last_load_keys_loaded", a.loading.loadedKeys())
	t.int("aof_enabled", 1)
	t.flag("aof_rewrite_in_progress", t.engine.Merge.Running || a.mergeStarted.Load() != 0)
	t.int("aof_rewrite_scheduled", 0)
	t.int("aof_last_rewrite_time_sec", a.mergeTook.Load())
	t.int("aof_current_rewrite_time_sec", a.runningSeconds(&a.mergeStarted))
	t.str("aof_last_bgrewrite_status", status(a.mergeFailed.Load()))
	t.int("aof_rewrites", a.merges.Load())
	t.int("aof_rewrites_consecutive_failures", a.mergeFailures.Load())
	t.str("aof_last_write_status", status(t.engine.Failure != nil || t.engine.MaxDiskReached || t.engine.DiskFull))
	t.int("aof_last_cow_size", 0)
	t.int("module_fork_in_progress", 0)
	t.int("module_fork_last_cow_size", 0)
	infoLog(t.engine, t)
}

func infoStats(c *client, t *infoText) {
	s := c.srv
	n, st, p := &s.stats, s.storeStats(), &s.admin.sampler
	t.title("Stats")
	t.int("total_connections_received", n.connections.Load())
	t.int("total_commands_processed", n.commands.Load())
	t.int("instantaneous_ops_per_sec", int64(p.rate(rateCommands)))
	t.int("total_net_input_bytes", n.netIn.Load())
	t.int("total_net_output_bytes", n.netOut.Load())
	t.int("total_net_repl_input_bytes", 0)
	t.int("total_net_repl_output_bytes", 0)
	t.float("instantaneous_input_kbps", p.rate(rateNetIn)/1024, 2)
	t.float("instantaneous_output_kbps", p.rate(rateNetOut)/1024, 2)
	t.float("instantaneous_input_repl_kbps", 0, 2)
	t.float("instantaneous_output_repl_kbps", 0, 2)
	t.int("rejected_connections", n.rejectedConns.Load())
	t.int("sync_full", 0)
	t.int("sync_partial_ok", 0)
	t.int("sync_partial_err", 0)
	t.int("expired_subkeys", st.ExpiredFields)
	t.int("expired_keys", st.Expired)
	t.float("expired_stale_perc", st.ExpiredStalePerc, 2)
	t.int("expired_time_cap_reached_count", st.ExpireCapReached)
	t.int("expire_cycle_cpu_milliseconds", st.ExpireCycleMs)
	t.int("evicted_keys", st.Evicted)
	t.int("evicted_clients", n.evictedClients.Load())
	total, current := s.evict.exceededMs(s)
	t.int("total_eviction_exceeded_time", total)
	t.int("current_eviction_exceeded_time", current)
	t.int("keyspace_hits", st.Hits)
	t.int("keyspace_misses", st.Misses)
	t.int("pubsub_channels", 0)
	t.int("pubsub_patterns", 0)
	t.int("pubsubshard_channels", 0)
	t.int("latest_fork_usec", 0)
	t.int("total_forks", 0)
	t.int("migrate_cached_sockets", 0)
	t.int("slave_expires_tracked_keys", 0)
	t.int("active_defrag_hits", 0)
	t.int("active_defrag_misses", 0)
	t.int("active_defrag_key_hits", 0)
	t.int("active_defrag_key_misses", 0)
	t.int("total_active_defrag_time", 0)
	t.int("current_active_defrag_time", 0)
	t.int("tracking_total_keys", 0)
	t.int("tracking_total_items", 0)
	t.int("tracking_total_prefixes", 0)
	t.int("unexpected_error_replies", n.unexpectedErrors.Load())
	t.int("total_error_replies", n.errorReplies.Load())
	t.int("dump_payload_sanitizations", st.Sanitized)
	t.int("total_reads_processed", n.reads.Load())
	t.int("total_writes_processed", n.writes.Load())
	t.int("io_threaded_reads_processed", 0)
	t.int("io_threaded_writes_processed", 0)
	t.int("client_query_buffer_limit_disconnections", n.queryLimitKills.Load())
	t.int("client_output_buffer_limit_disconnections", n.outputLimitKills.Load())
	t.int("reply_buffer_shrinks", 0)
	t.int("reply_buffer_expands", 0)
	t.int("acl_access_denied_auth", n.authFailures.Load())
	t.int("acl_access_denied_cmd", 0)
	t.int("acl_access_denied_key", 0)
	t.int("acl_access_denied_channel", 0)
}

func infoReplication(c *client, t *infoText) {
	s := c.srv
	t.title("Replication")
	t.str("role", "master")
	t.int("connected_slaves", 0)
	t.str("master_failover_state", "no-failover")
	t.str("master_replid", s.runID)
	t.str("master_replid2", "0000000000000000000000000000000000000000")
	t.int("master_repl_offset", 0)
	t.int("second_repl_offset", -1)
	t.int("repl_backlog_active", 0)
	t.int("repl_backlog_size", 0)
	t.int("repl_backlog_first_byte_offset", 0)
	t.int("repl_backlog_histlen", 0)
}

func infoCPU(_ *client, t *infoText) {
	c := cpuTimes()
	t.title("CPU")
	t.float("used_cpu_sys", c.sys.Seconds(), 6)
	t.float("used_cpu_user", c.user.Seconds(), 6)
	t.float("used_cpu_sys_children", c.sysChildren.Seconds(), 6)
	t.float("used_cpu_user_children", c.userChildren.Seconds(), 6)
}

func infoModules(_ *client, t *infoText) { t.title("Modules") }

func infoCommandStats(c *client, t *infoText) {
	s := c.srv
	t.title("Commandstats")
	for _, cmd := range s.table.rows {
		n := &s.stats.perCommand[cmd.id]
		calls, rejected, failed := n.calls.Load(), n.rejected.Load(), n.failed.Load()
		if calls == 0 && rejected == 0 && failed == 0 {
			continue
		}
		usec := n.usec.Load()
		perCall := ratio(usec, calls)
		t.str("cmdstat_"+cmd.name, "calls="+strconv.FormatInt(calls, 10)+
			",usec="+strconv.FormatInt(usec, 10)+
			",usec_per_call="+strconv.FormatFloat(perCall, 'f', 2, 64)+
			",rejected_calls="+strconv.FormatInt(rejected, 10)+
			",failed_calls="+strconv.FormatInt(failed, 10))
	}
}

func infoErrorStats(c *client, t *infoText) {
	s := c.srv
	counts := s.stats.errorCounts()
	t.title("Errorstats")
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		t.str("errorstat_"+code, "count="+strconv.FormatInt(counts[code], 10))
	}
}

// errorCounts returns how many error replies there were, by code.
func (s *stats) errorCounts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int64, len(s.errors))
	for code, n := range s.errors {
		counts[code] = n.Load()
	}
	return counts
}

func infoLatencyStats(c *client, t *infoText) {
	s := c.srv
	t.title("Latencystats")
	cfg := s.config.Load()
	if !cfg.LatencyTracking {
		return
	}
	for _, cmd := range s.table.rows {
		h := s.stats.perCommand[cmd.id].latency.Load()
		if h == nil {
			continue
		}
		var b []byte
		for i, p := range cfg.LatencyPercentiles {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, 'p')
			b = strconv.AppendFloat(b, p, 'g', -1, 64)
			b = append(b, '=')
			b = strconv.AppendFloat(b, float64(h.percentile(p))/1000, 'f', 3, 64)
		}
		t.str("latency_percentiles_usec_"+cmd.name, string(b))
	}
}

func infoCluster(_ *client, t *infoText) {
	t.title("Cluster")
	t.int("cluster_enabled", 0)
}

func infoKeyspace(c *client, t *infoText) {
	s := c.srv
	t.title("Keyspace")
	store := s.loadedStore()
	if store == nil {
		return
	}
	for db := range store.Databases() {
		keys := store.Size(db)
		if keys == 0 {
			continue
		}
		expires, ttl := store.ExpireStats(db)
		t.str("db"+strconv.Itoa(db), "keys="+strconv.Itoa(keys)+
			",expires="+strconv.Itoa(expires)+
			",avg_ttl="+strconv.FormatInt(ttl, 10))
	}
}
