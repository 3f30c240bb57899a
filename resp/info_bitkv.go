package resp

import (
	"runtime"
	"strconv"
	"time"

	"bitkv/types"
)

// What INFO and MEMORY say about the storage below: the section Bitkv, and the
// fields of other sections that only it can answer.

// storeStats are the counters of the store; zero while it is loading.
func (s *Server) storeStats() types.Stats {
	if store := s.loadedStore(); store != nil {
		return store.Stats()
	}
	return types.Stats{}
}

// engineStats is the state of the log and the keydir; zero while it is loading.
// It locks the shards one after another, which whoever holds some of them must
// not do: inside EXEC it is the state as it was last asked for.
func (c *client) engineStats() *types.EngineStats {
	a := c.srv.admin
	store := c.srv.loadedStore()
	if store == nil {
		return new(types.EngineStats)
	}
	if c.inExec() {
		if last := a.engine.Load(); last != nil {
			return last
		}
		return new(types.EngineStats)
	}
	st := store.Engine().Stats()
	a.engine.Store(&st)
	return &st
}

// tcpPort is the port that the server listens on.
func (s *Server) tcpPort() int64 { return s.config.Load().Port }

// infoLog writes the fields about the log that Redis has for its append-only
// file, for which tools have names.
func infoLog(e *types.EngineStats, t *infoText) {
	t.bytes("disk_used", e.DiskUsed)
	t.bytes("maxdisk", e.MaxDisk)
	t.int("aof_current_size", e.DiskBytes)
	t.int("aof_base_size", e.LiveBytes)
	t.int("aof_pending_rewrite", 0)
	t.int("aof_buffer_length", e.TailBytes)
	t.int("aof_pending_bio_fsync", 0)
	t.int("aof_delayed_fsync", 0)
}

// syncPolicies are the words of appendfsync.
var syncPolicies = map[types.SyncPolicy]string{
	types.SyncEverySecond: "everysec",
	types.SyncAlways:      "always",
	types.SyncNever:       "no",
	types.SyncBytes:       "bytes",
}

// infoBitkv is the section about the storage.
func infoBitkv(c *client, t *infoText) {
	e := t.engine
	cfg := c.srv.config.Load()
	t.title("Bitkv")
	t.str("bitkv_version", c.srv.opt.Version)
	t.str("io_driver", c.srv.ioDriver())
	t.str("index_type", cfg.IndexType)
	keys := c.srv.userKeys()
	t.int("keys", keys)
	t.int("collections", e.Collections)
	t.int("keydir_bytes", e.KeydirBytes)
	t.int("keydir_bytes_per_key", int64(ratio(e.KeydirBytes, keys)))
	t.int("data_files", int64(e.DataFiles))
	t.int("immutable_files", int64(e.ImmutableFiles))
	t.int("hintless_files", int64(e.HintlessFiles))
	t.int("live_bytes", e.LiveBytes)
	t.int("dead_bytes", e.DeadBytes)
	t.int("tombstone_bytes", e.TombstoneBytes)
	t.float("dead_ratio", ratio(e.DeadBytes, e.LiveBytes+e.DeadBytes), 4)
	t.int("disk_bytes", e.DiskBytes)
	t.int("pinned_bytes", e.Merge.PinnedBytes)
	t.int("written_bytes", e.WrittenBytes)
	t.str("sync_policy", syncPolicies[e.Policy])
	t.int("tail_bytes", e.TailBytes)
	t.int("sync_lag_records", int64(e.EndSeq-min(e.SyncedSeq, e.EndSeq)))
	t.int("sync_lag_ms", c.srv.syncLagMs(e, time.Now()))
	t.int("syncs", e.Syncs)
	t.int("sync_usec", e.SyncTime.Microseconds())
	t.float("sync_usec_per_call", ratio(e.SyncTime.Microseconds(), e.Syncs), 2)
	t.flag("merge_running", e.Merge.Running)
	t.int("merge_done_bytes", e.Merge.DoneBytes)
	t.int("merge_total_bytes", e.Merge.TotalBytes)
	t.float("merge_progress_perc", 100*ratio(e.Merge.DoneBytes, e.Merge.TotalBytes), 2)
	t.int("merges", e.Merge.Merges)
	t.int("merge_failures", e.Merge.Failures)
	t.int("merge_reclaimed_bytes", e.Merge.ReclaimedBytes)
	t.str("merge_last_error", e.Merge.LastError)
	t.int("checksum_errors", e.ChecksumErrors)
	t.int("cold_reads", e.Cold.Reads)
	t.int("cold_read_bytes", e.Cold.Bytes)
	t.int("cold_read_rounds", e.Cold.Rounds)
	t.int("cold_reads_queued", int64(e.Cold.Queued))
	t.int("cold_readers_busy", int64(e.Cold.Readers))
	t.flag("page_cache_pressed", e.Cold.Pressed)
	t.int("value_cache_bytes", e.Cold.CacheBytes)
	t.int("value_cache_limit", e.Cold.CacheLimit)
	t.int("value_cache_hits", e.Cold.CacheHits)
	t.int("value_cache_misses", e.Cold.CacheMisses)
	t.int("value_cache_evictions", e.Cold.CacheEvictions)
	t.int("scrubs", e.Scrub.Scrubs)
	t.int("scrub_read_bytes", e.Scrub.BytesRead)
	t.int("scrub_damaged_files", int64(e.Scrub.DamagedFiles))
	t.int("scrub_last_end", unixOrZero(e.Scrub.LastEnd))
	t.str("storage_status", storageStatus(e))
	t.int("load_time_ms", e.LoadTime.Milliseconds())
	m := readMemory()
	rss, rssFile := residentBytes()
	t.int("rss_anonymous", rss-rssFile)
	t.int("rss_file", rssFile)
	t.int("gc_cycles", m.gcCycles)
	t.int("goroutines", int64(runtime.NumGoroutine()))
}

// userKeys is the number of keys of all databases; 0 while they are being loaded.
func (s *Server) userKeys() int64 {
	if store := s.loadedStore(); store != nil {
		return store.Keys()
	}
	return 0
}

// unixOrZero is a time in Unix seconds, 0 if it has not been.
func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// syncLagMs is for how long the oldest record that is not on the disk may have
// been waiting: since the last sync, or since the start if there was none.
func (s *Server) syncLagMs(e *types.EngineStats, now time.Time) int64 {
	if e.SyncedSeq >= e.EndSeq {
		return 0
	}
	since := e.LastSync
	if since.IsZero() {
		since = s.started
	}
	return max(now.Sub(since).Milliseconds(), 0)
}

// storageStatus is "ok", or why writes are refused: the error in quotes, "maxdisk" or
// "disk full".
func storageStatus(e *types.EngineStats) string {
	switch {
	case e.Failure != nil:
		return strconv.Quote(e.Failure.Error())
	case e.MaxDiskReached:
		return "maxdisk"
	case e.DiskFull:
		return "disk full"
	}
	return "ok"
}
