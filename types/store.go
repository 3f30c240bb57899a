package types

import "bitkv/engine"

// Store is a set of numbered databases on one engine. Safe for concurrent use.
type Store struct {
	eng *engine.DB
	opt Options
}

// Options configure a Store.
type Options struct {
	// Engine configures the log and the keydir. Spaces and ShardOf are set by Open.
	Engine engine.Options
	// Databases is the number of databases. Default 16.
	Databases int
	// MaxValueBytes limits a string (proto-max-bulk-len). Default 512 MiB.
	MaxValueBytes int64
	// NowMs is the clock in Unix milliseconds. Nil means time.Now.
	NowMs func() int64
	// Hz is how many times a second expired keys are looked for. Default 10.
	Hz int
}

// Open opens or makes the store in dir.
func Open(dir string, opt Options) (*Store, error) { panic("Y") }

// Close stops the active expiry and closes the engine.
func (s *Store) Close() error { panic("Y") }

// Engine returns the engine below, for its statistics, Merge, Backup and Sync.
func (s *Store) Engine() *engine.DB { return s.eng }

// Databases is the number of databases.
func (s *Store) Databases() int { panic("Y") }

// NowMs is the time of the store's clock, in Unix milliseconds.
func (s *Store) NowMs() int64 { panic("Y") }

// SetClock replaces the clock, which is in Unix milliseconds; nil means the
// system's. It is for tests and for DEBUG.
func (s *Store) SetClock(nowMs func() int64) { panic("Y") }

// MaxValueBytes is the longest string.
func (s *Store) MaxValueBytes() int64 { panic("Y") }

// SetMaxValueBytes changes the longest string (CONFIG SET proto-max-bulk-len).
func (s *Store) SetMaxValueBytes(n int64) { panic("Y") }

// SetHz changes how many times a second expired keys are looked for (1 to 500).
func (s *Store) SetHz(hz int) { panic("Y") }

// SetActiveExpire turns the search for expired keys on or off (DEBUG
// set-active-expire). A key met expired is removed all the same.
func (s *Store) SetActiveExpire(on bool) { panic("Y") }

// PauseExpiry stops (or lets go on) every removal of expired keys, as CLIENT
// PAUSE does. An expired key is still treated as missing.
func (s *Store) PauseExpiry(paused bool) { panic("Y") }

// AccessClock says what the access clock of a key is for.
type AccessClock struct {
	// LFU keeps a logarithmic access counter with decay, for OBJECT FREQ and
	// the lfu policies; otherwise the time of the last access is kept.
	LFU bool
	// LogFactor (lfu-log-factor) slows the counter down. Redis's default is 10.
	LogFactor int
	// DecayMinutes (lfu-decay-time) is the time after which an unused counter
	// loses one; 0 means never. Redis's default is 1.
	DecayMinutes int
}

// SetAccessClock changes what access clocks count (CONFIG SET maxmemory-policy,
// lfu-log-factor, lfu-decay-time).
func (s *Store) SetAccessClock(c AccessClock) { panic("Y") }

// AddKey adds the shard of a key to the set. Keys with the same Redis Cluster
// hash slot share a shard.
func (s *Store) AddKey(set *ShardSet, key []byte) { set.Add(s.eng.ShardOf(key)) }

// AddAll adds every shard to the set.
func (s *Store) AddAll(set *ShardSet) { set.AddAll(s.eng.Shards()) }

// Begin locks the shards and starts a transaction on database db. nowMs is taken
// from the clock once: a transaction sees one time.
func (s *Store) Begin(set *ShardSet, write bool, db int) *Tx { panic("Y") }
