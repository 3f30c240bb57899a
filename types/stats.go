package types

// Stats are counters since Open or ResetStats, but for Dirty, which is since
// Open or MarkSaved.
type Stats struct {
	// Hits and Misses count lookups for reading (keyspace_hits, keyspace_misses).
	Hits, Misses int64
	// Expired counts keys removed because their time had come (expired_keys).
	Expired int64
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
}

// Stats returns the counters.
func (s *Store) Stats() Stats { panic("Y") }

// ResetStats sets the counters back, except Dirty (CONFIG RESETSTAT).
func (s *Store) ResetStats() { panic("Y") }

// MarkSaved sets Dirty to 0: everything before the call is on the disk.
func (s *Store) MarkSaved() { panic("Y") }

// Size is the number of keys in a database, expired ones that are still there
// included. It locks nothing.
func (s *Store) Size(db int) int { panic("Y") }

// ExpireStats is how many keys of a database have an expiry, and the average
// time they have left in milliseconds. It locks nothing.
func (s *Store) ExpireStats(db int) (keys int, avgTTLMs int64) { panic("Y") }
