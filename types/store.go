package types

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"bitkv/engine"
)

// Store is a set of numbered databases on one engine. Safe for concurrent use.
type Store struct {
	eng    *engine.DB
	opt    Options
	log    *slog.Logger
	openMs int64 // when Open returned

	clock         atomic.Pointer[func() int64] // nil: the system's
	access        atomic.Pointer[AccessClock]
	limits        atomic.Pointer[CollectionLimits]
	maxValueBytes atomic.Int64
	maxSparseHLL  atomic.Int64
	eventClasses  atomic.Uint32
	expiryPaused  atomic.Bool

	counters counters
	watched  watchTable
	awaited  awaitTable
	txPool   sync.Pool
	expiry   expiryWorker
	evictor  evictor
}

// Options configure a Store.
type Options struct {
	// Engine configures the log and the keydir. Spaces and ShardOf are set by
	// Open, and NowMs if it is nil.
	Engine engine.Options
	// Databases is the number of databases. Default 16.
	Databases int
	// MaxValueBytes limits a string (proto-max-bulk-len). Default 512 MiB.
	MaxValueBytes int64
	// NowMs is the clock in Unix milliseconds. Nil means time.Now.
	NowMs func() int64
	// Hz is how many times a second expired keys are looked for. Default 10.
	Hz int
	// OnEvent gets the events that SetEvents asks for, in the order of each
	// transaction, after its commit and from the goroutine that committed. It
	// may begin transactions.
	OnEvent func(Event)
}

// Open opens or makes the store in dir.
func Open(dir string, opt Options) (*Store, error) {
	if opt.Databases == 0 {
		opt.Databases = 16
	}
	if opt.MaxValueBytes == 0 {
		opt.MaxValueBytes = 512 << 20
	}
	if opt.Hz == 0 {
		opt.Hz = 10
	}
	if opt.Databases < 0 || opt.MaxValueBytes < 0 || opt.Hz < 0 {
		return nil, fmt.Errorf("types: negative option: Databases %d, MaxValueBytes %d, Hz %d",
			opt.Databases, opt.MaxValueBytes, opt.Hz)
	}
	if opt.Databases > MaxDatabases {
		return nil, fmt.Errorf("types: %d databases, but there can be %d", opt.Databases, MaxDatabases)
	}
	s := &Store{opt: opt, log: opt.Engine.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.SetClock(opt.NowMs)
	s.SetAccessClock(AccessClock{LogFactor: 10, DecayMinutes: 1})
	s.SetCollectionLimits(defaultCollectionLimits())
	s.SetMaxValueBytes(opt.MaxValueBytes)
	s.SetMaxSparseHLL(defaultMaxSparseHLL)
	s.txPool.New = func() any { return &Tx{s: s} }
	engineOpt := opt.Engine
	engineOpt.Spaces = spaceCount(opt.Databases)
	engineOpt.ShardOf = shardHash
	if engineOpt.NowMs == nil {
		engineOpt.NowMs = s.NowMs
	}
	eng, err := engine.Open(dir, engineOpt)
	if err != nil {
		return nil, err
	}
	s.eng = eng
	if err := s.checkHidden(); err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	s.openMs = s.NowMs()
	s.evictor.start(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	s.expiry.start(s, opt.Hz)
	return s, nil
}

// Close stops the active expiry and closes the engine.
func (s *Store) Close() error {
	s.expiry.stop()
	return s.eng.Close()
}

// Engine returns the engine below, for its statistics, Merge, Backup and Sync.
func (s *Store) Engine() *engine.DB { return s.eng }

// Databases is the number of databases.
func (s *Store) Databases() int { return s.opt.Databases }

// NowMs is the time of the store's clock, in Unix milliseconds.
func (s *Store) NowMs() int64 {
	if now := s.clock.Load(); now != nil {
		return (*now)()
	}
	return time.Now().UnixMilli()
}

// SetClock replaces the clock, which is in Unix milliseconds; nil means the
// system's. It is for tests and for DEBUG.
func (s *Store) SetClock(nowMs func() int64) {
	if nowMs == nil {
		s.clock.Store(nil)
		return
	}
	s.clock.Store(&nowMs)
}

// MaxValueBytes is the longest string.
func (s *Store) MaxValueBytes() int64 { return s.maxValueBytes.Load() }

// SetMaxValueBytes changes the longest string (CONFIG SET proto-max-bulk-len).
func (s *Store) SetMaxValueBytes(n int64) { s.maxValueBytes.Store(n) }

// AddKey adds the shard of a key to the set. Keys with the same Redis Cluster
// hash slot share a shard.
func (s *Store) AddKey(set *ShardSet, key []byte) { set.Add(s.eng.ShardOf(key)) }

// Warm brings what the keydir holds for keys of a database into the caches of the
// processor: for the keys of commands that come one after another at once. It
// changes nothing. values says that the values will be read, and hints gets what
// Tx.Hint takes; see engine.DB.Warm.
func (s *Store) Warm(db int, keys [][]byte, values bool, hints []Hint) {
	s.eng.Warm(keySpace(db), keys, values, hints)
}

// WarmElements is Warm for fields or members of one key; see engine.DB.WarmElements.
func (s *Store) WarmElements(db int, key []byte, subkeys [][]byte) {
	s.eng.WarmElements(keySpace(db), key, subkeys)
}

// AddAll adds every shard to the set.
func (s *Store) AddAll(set *ShardSet) { set.AddAll(s.eng.Shards()) }

// Size is the number of keys in a database, expired ones that are still there
// included. It locks nothing.
func (s *Store) Size(db int) int { return s.eng.Len(keySpace(db)) }

// ExpireStats is how many keys of a database have an expiry, and the average
// time they have left in milliseconds. It locks nothing.
func (s *Store) ExpireStats(db int) (keys int, avgTTLMs int64) {
	keys, averageMs := s.eng.ExpireStats(keySpace(db))
	if keys == 0 {
		return 0, 0
	}
	return keys, max(averageMs-s.NowMs(), 0)
}

// Merge gives back the space of dead records: see engine.DB.Merge.
func (s *Store) Merge(ctx context.Context, ratio float64) error { return s.eng.Merge(ctx, ratio) }
