package engine

import "time"

// Stats is the state of a database at one moment. Counters count since Open.
type Stats struct {
	// Keys is the number of keys of all keyspaces, expired ones included, and
	// Collections that of the collections they name.
	Keys, Collections int64
	// DataFiles is the number of data files, ImmutableFiles that of the sealed ones.
	DataFiles, ImmutableFiles int
	// HintlessFiles is how many sealed ones have no hint file because it could not be
	// written: the next Open has to read all of them. A merge tries again.
	HintlessFiles int
	// LiveBytes is the length of the records that the keydir refers to, DeadBytes
	// that of the others; TombstoneBytes is how much of the latter are tombstones.
	LiveBytes, DeadBytes, TombstoneBytes int64
	// DiskBytes is the length of all data files, without what is reserved.
	DiskBytes int64
	// DiskUsed is what all files of the directory take, with what is reserved, and
	// MaxDisk how much they may; 0: no limit.
	DiskUsed, MaxDisk int64
	// MaxDiskReached says that writes that need room are refused with ErrDiskLimit:
	// all of them, or the larger ones.
	MaxDiskReached bool
	// DiskFull says that the disk had no room for a write, and still has not.
	DiskFull bool
	// KeydirBytes is the memory of the keydir, both levels.
	KeydirBytes int64
	// TailBytes is the log in memory: not written, or written and not synced.
	TailBytes int64
	// EndSeq is the newest sequence number; FlushedSeq and SyncedSeq are how far
	// the operating system and the disk have the log.
	EndSeq, FlushedSeq, SyncedSeq uint64
	// Syncs is how many times the log was synced, SyncTime how long that took in
	// all, and LastSync when all of it was last known to be on the disk.
	Syncs    int64
	SyncTime time.Duration
	LastSync time.Time
	// WrittenBytes is what was appended to the log.
	WrittenBytes int64
	// ChecksumErrors is how many reads found damage.
	ChecksumErrors int64
	// Reaping is how many dropped collections and tables are not taken apart yet.
	Reaping int
	// Failure says why writes are refused; nil if they are not.
	Failure error
	// Policy is the sync policy now.
	Policy SyncPolicy
	// LoadTime is how long Open took.
	LoadTime time.Duration
	Merge    MergeStats
	Scrub    ScrubStats
	Cold     ColdStats
}

// ColdStats is about values that were not in memory.
type ColdStats struct {
	// Reads is how many values were read from the disk for transactions that must
	// not wait for it, Bytes how long those were, Rounds for how many Fetches.
	Reads, Bytes, Rounds int64
	// Queued is how many reads wait to be given to the disk, Readers how many it has
	// been given.
	Queued, Readers int
	// Pressed: the system has lately taken pages of data files out of memory, so
	// before each read it is asked whether it would have to wait.
	Pressed bool
	// CacheBytes is the memory of the value cache, CacheLimit the most that it may
	// have; hits and misses are of reads of what was not known to be in memory.
	CacheBytes, CacheLimit                 int64
	CacheHits, CacheMisses, CacheEvictions int64
}

// coldStats is ColdStats now.
func (db *DB) coldStats() ColdStats {
	p := &db.cold
	s := ColdStats{
		Reads: p.reads.Load(), Bytes: p.bytes.Load(), Rounds: p.starts.Load(), Pressed: db.residency.pressed.Load(),
	}
	s.Queued, s.Readers = p.queued()
	if c := db.values.Load(); c != nil {
		s.CacheBytes, s.CacheLimit = c.bytes.Load(), c.limit
		s.CacheHits, s.CacheMisses, s.CacheEvictions = c.hits.Load(), c.misses.Load(), c.evicted.Load()
	}
	return s
}

// Stats returns the state of the database. It locks each shard for a moment.
func (db *DB) Stats() Stats {
	l := db.log
	s := Stats{
		EndSeq: l.endSeq.Load(), FlushedSeq: l.flushedSeq.Load(), SyncedSeq: l.syncedSeq.Load(),
		TailBytes: l.tailBytes.Load(), ChecksumErrors: db.checksumErrors.Load(), Reaping: db.reaper.pending(),
		Syncs: l.syncs.Load(), SyncTime: time.Duration(l.syncNanos.Load()), WrittenBytes: l.writtenBytes(),
		Policy: SyncPolicy(l.sync.Load()), LoadTime: db.loadTime, Merge: db.merge.snapshot(), Scrub: db.scrub.snapshot(), Failure: db.Failure(),
		Cold: db.coldStats(),
	}
	if ns := l.lastSync.Load(); ns != 0 {
		s.LastSync = time.Unix(0, ns)
	}
	for i := range db.spaces {
		s.Keys += db.spaces[i].Load().keys.Load()
	}
	for _, f := range db.files.Load().all() {
		s.DataFiles++
		if f.sealed.Load() {
			s.ImmutableFiles++
		}
		if f.hintless.Load() {
			s.HintlessFiles++
		}
		total, live := f.total.Load(), f.live.Load()
		s.LiveBytes += live
		s.DeadBytes += total - live
		s.TombstoneBytes += f.tombstoneBytes()
		s.DiskBytes += f.flushed.Load()
	}
	s.Collections, s.KeydirBytes = db.keydirSize()
	s.DiskUsed, s.MaxDisk = db.DiskUsed(), db.disk.limit.Load()
	s.MaxDiskReached = db.disk.reached()
	_, s.DiskFull = db.isFull()
	return s
}

// Failure returns why writes are refused now, or nil. It is cheap.
func (db *DB) Failure() error {
	l := db.log
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusedLocked()
}

func (l *log) writtenBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// TailBytes returns how much of the log is in memory only. It is cheap.
func (db *DB) TailBytes() int64 { return db.log.tailBytes.Load() }

// KeydirBytes returns the memory of the keydir. It locks each shard for a moment.
func (db *DB) KeydirBytes() int64 {
	_, n := db.keydirSize()
	return n
}

// keydirSize counts the collections and the memory of the keydir.
func (db *DB) keydirSize() (colls, bytes int64) {
	for i := range db.shards {
		s := &db.shards[i]
		s.mu.RLock()
		for _, t := range s.tables {
			if t != nil {
				bytes += t.slots.bytes() + t.index.bytes()
			}
		}
		bytes += s.expiry.bytes()
		s.mu.RUnlock()
	}
	return int64(db.colls.len()), bytes + db.mem.colls.Load()
}
