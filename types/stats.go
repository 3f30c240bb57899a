package types

import (
	"math"
	"sync/atomic"
)

// Stats are counters since Open or ResetStats, but for Dirty, which is since
// Open or MarkSaved, and Awaited, which is now.
type Stats struct {
	// Hits and Misses count lookups for reading (keyspace_hits, keyspace_misses).
	Hits, Misses int64
	// Expired counts keys removed because their time had come (expired_keys).
	Expired int64
	// ExpiredFields counts fields of hashes removed because their time had come
	// (expired_subkeys).
	ExpiredFields int64
	// Evicted counts keys removed for their memory (evicted_keys).
	Evicted int64
	// ExpiredStalePerc is an estimate of the share of keys with an expiry that
	// are expired and still there, in percent.
	ExpiredStalePerc float64
	// ExpireCapReached counts search rounds that ran out of time
	// (expired_time_cap_reached_count).
	ExpireCapReached int64
	// ExpireCycleMs is the time spent looking for expired keys
	// (expire_cycle_cpu_milliseconds).
	ExpireCycleMs int64
	// Lazyfreed counts values whose memory is given back off the command's path
	// (lazyfreed_objects).
	Lazyfreed int64
	// Dirty counts changes since the last save (rdb_changes_since_last_save).
	Dirty int64
	// Sanitized counts what RESTORE took that has an encoding inside, every byte of
	// which is checked (dump_payload_sanitizations).
	Sanitized int64
	// Awaited is how many keys somebody waits for now (total_blocking_keys).
	Awaited int64
}

// counters is Stats as it is counted.
type counters struct {
	hits, misses, expired    atomic.Int64
	evicted                  atomic.Int64
	stalePercBits            atomic.Uint64 // a float64
	capReached, cycleNanosec atomic.Int64
	lazyfreed, dirty         atomic.Int64
	expiredFields, sanitized atomic.Int64
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	c := &s.counters
	return Stats{
		Hits:             c.hits.Load(),
		Misses:           c.misses.Load(),
		Expired:          c.expired.Load(),
		ExpiredFields:    c.expiredFields.Load(),
		Evicted:          c.evicted.Load(),
		ExpiredStalePerc: math.Float64frombits(c.stalePercBits.Load()),
		ExpireCapReached: c.capReached.Load(),
		ExpireCycleMs:    c.cycleNanosec.Load() / 1e6,
		Lazyfreed:        c.lazyfreed.Load(),
		Dirty:            c.dirty.Load(),
		Sanitized:        c.sanitized.Load(),
		Awaited:          s.awaited.keys.Load(),
	}
}

// ResetStats sets the counters back, except Dirty (CONFIG RESETSTAT).
func (s *Store) ResetStats() {
	c := &s.counters
	c.hits.Store(0)
	c.misses.Store(0)
	c.expired.Store(0)
	c.evicted.Store(0)
	c.stalePercBits.Store(0)
	c.capReached.Store(0)
	c.cycleNanosec.Store(0)
	c.lazyfreed.Store(0)
	c.expiredFields.Store(0)
	c.sanitized.Store(0)
}

// MarkSaved takes n from Dirty: so many changes, which Stats showed before a
// save began, are on the disk.
func (s *Store) MarkSaved(n int64) { s.counters.dirty.Add(-n) }

// flushStats adds what a transaction counted. Its changes count only if it
// committed.
func (tx *Tx) flushStats(committed bool) {
	c := &tx.s.counters
	add(&c.hits, tx.hits)
	add(&c.misses, tx.misses)
	if committed {
		add(&c.dirty, tx.dirty)
		add(&c.expired, tx.expired)
		add(&c.expiredFields, tx.expiredFields)
		add(&c.sanitized, tx.sanitized)
		add(&c.evicted, tx.evicted)
		add(&c.lazyfreed, tx.lazyfreed)
	}
}

func add(counter *atomic.Int64, n int64) {
	if n != 0 {
		counter.Add(n)
	}
}
