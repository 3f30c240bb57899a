package types

import "bitkv/engine"

// Store is a set of numbered databases on one engine. Safe for concurrent use.
type Store struct {
	eng *engine.DB
	opt Options
	// Y owns the rest.
}

// ShardSet is what a transaction locks.
type ShardSet = engine.ShardSet

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
}

// Open opens or makes the store in dir.
func Open(dir string, opt Options) (*Store, error) { panic("Y") }

// Close stops the active expiry and closes the engine.
func (s *Store) Close() error { panic("Y") }

// Engine returns the engine below, for its statistics, Merge, Backup and Sync.
func (s *Store) Engine() *engine.DB { return s.eng }

// AddKey adds the shard of a key to the set. Keys with the same Redis Cluster
// hash slot share a shard.
func (s *Store) AddKey(set *ShardSet, key []byte) { set.Add(s.eng.ShardOf(key)) }

// AddAll adds every shard to the set.
func (s *Store) AddAll(set *ShardSet) { set.AddAll(s.eng.Shards()) }

// Begin locks the shards and starts a transaction on database db. nowMs is taken
// from the clock once: a transaction sees one time.
func (s *Store) Begin(set *ShardSet, write bool, db int) *Tx { panic("Y") }
