package types

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"bitkv/engine"
)

// Eviction chooses keys to give up when memory is short, as Redis does: a few keys
// are picked at random, and the best of them, with the best of earlier picks, wait
// in a small pool; the best in the pool goes. So the choice is about as good as in
// exact order, and nothing has to be kept in order. It differs in two things. A key
// that was used since it came into the pool is not evicted, for its entry is looked
// up anyway. And volatile-ttl looks at the front of the expiry heaps, which have
// what expires first, and hardly samples.

// EvictionPolicy says which keys may go, and which of them first.
type EvictionPolicy struct {
	// Volatile leaves keys without an expiry alone.
	Volatile bool
	By       EvictionOrder
	// Samples is how many keys are looked at for one eviction (maxmemory-samples).
	Samples int
}

// EvictionOrder says which key goes first.
type EvictionOrder uint8

// The orders.
const (
	EvictLRU    EvictionOrder = iota // the one not used for the longest time
	EvictLFU                         // the one with the lowest access counter
	EvictTTL                         // the one that expires first
	EvictRandom                      // any
)

// ErrNothingToEvict says that no key is there which the policy lets go.
var ErrNothingToEvict = errors.New("types: no key to evict")

// evictPoolSize is how many candidates wait, as in Redis.
const evictPoolSize = 16

// evictor is the state of eviction between two keys.
type evictor struct {
	mu     sync.Mutex // one evicts at a time; guards following
	rnd    *rand.Rand
	pool   []candidate
	spare  [][]byte // room for keys of candidates
	order  EvictionOrder
	nextDB int         // EvictRandom takes the databases in turn
	most   map[int]int // the most keys that a shard had lately, by database; allVolatile: that expire
}

// allVolatile stands for the keys of all databases that expire.
const allVolatile = -1

// candidate is a key that may go, and how much it should.
type candidate struct {
	db    int
	key   []byte
	score uint64
}

// Evict evicts keys one by one until enough, which is called before each with how
// long the last one took, says so. ErrNothingToEvict: there is no more to evict;
// other errors say that the log takes nothing. REQUIRES: no shard is locked by the
// caller.
func (s *Store) Evict(p EvictionPolicy, enough func(took time.Duration) bool) error {
	e := &s.evictor
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.order != p.By {
		e.forget() // scores of another kind
		e.order = p.By
	}
	began := time.Now()
	for took := time.Duration(0); !enough(took); {
		if err := s.evictOne(p); err != nil {
			return err
		}
		now := time.Now()
		took, began = now.Sub(began), now
	}
	return nil
}

// AwaitEviction returns when an Evict that is going on has ended.
func (s *Store) AwaitEviction() {
	s.evictor.mu.Lock()
	defer s.evictor.mu.Unlock()
}

// evictRounds is how often a whole pool of candidates may turn out to be gone, or
// used since, before every key is looked at.
const evictRounds = 32

// evictOne evicts a key.
func (s *Store) evictOne(p EvictionPolicy) error {
	e := &s.evictor
	for round := range evictRounds + 1 {
		if !s.hasEvictable(p) {
			break
		}
		s.fillPool(p, round == evictRounds)
		for len(e.pool) > 0 {
			last := len(e.pool) - 1
			c := e.pool[last]
			e.pool = e.pool[:last]
			done, err := s.evict(p, &c)
			e.recycle(&c)
			if done || err != nil {
				return err
			}
		}
	}
	return ErrNothingToEvict
}

// hasEvictable reports whether there is any key that may go.
func (s *Store) hasEvictable(p EvictionPolicy) bool {
	for db := range s.Databases() {
		n := s.eng.Len(keySpace(db))
		if p.Volatile && n > 0 {
			n, _ = s.eng.ExpireStats(keySpace(db))
		}
		if n > 0 {
			return true
		}
	}
	return false
}

// fillPool looks for candidates; in all shards, if all.
func (s *Store) fillPool(p EvictionPolicy, all bool) {
	switch {
	case p.Volatile:
		s.sampleExpires(p, all)
	case p.By == EvictRandom:
		for range s.Databases() {
			s.evictor.nextDB = (s.evictor.nextDB + 1) % s.Databases()
			if db := s.evictor.nextDB; s.eng.Len(keySpace(db)) > 0 {
				s.sampleKeys(p, db, all)
				return
			}
		}
	default:
		for db := range s.Databases() {
			if s.eng.Len(keySpace(db)) > 0 {
				s.sampleKeys(p, db, all)
			}
		}
	}
}

// sampleKeys looks for candidates among the keys of a database.
func (s *Store) sampleKeys(p EvictionPolicy, db int, all bool) {
	nowMs := s.NowMs()
	s.eachSample(p.samples(), db, all, func(tx *engine.Tx, shard int) int { return tx.ShardLen(keySpace(db), shard) },
		func(tx *engine.Tx, shard, n int) (found int) {
			tx.Sample(keySpace(db), shard, n, s.evictor.rnd.Uint32N, func(key []byte, h engine.Head) {
				s.evictor.offer(db, key, s.score(p, tx, &h, nowMs))
				found++
			})
			return found
		})
}

// sampleExpires looks for candidates among the keys with an expiry, of all
// databases.
func (s *Store) sampleExpires(p EvictionPolicy, all bool) {
	nowMs := s.NowMs()
	how := engine.SampleRandom
	switch {
	case all:
		how = engine.SampleAll
	case p.By == EvictTTL:
		how = engine.SampleSoonest
	}
	s.eachSample(p.samples(), allVolatile, all, (*engine.Tx).ShardExpires, func(tx *engine.Tx, shard, n int) (found int) {
		if how == engine.SampleSoonest {
			n = 1 // of many shards each
		}
		tx.SampleExpires(shard, n, how, s.evictor.rnd.Uint32N, func(space int, key []byte, h engine.Head) bool {
			db, fields := ofSpace(space)
			if fields {
				return false // fields of a hash expire: that is not the key
			}
			s.evictor.offer(db, key, s.score(p, tx, &h, nowMs))
			found++
			return true
		})
		return found
	})
}

// samples is how many keys one look gives.
func (p EvictionPolicy) samples() int {
	if p.By == EvictRandom {
		return 1
	}
	return max(p.Samples, 1)
}

// eachSample calls look, with a shard locked for reading, until it has found n
// keys. Shards come at random, with a chance that grows with the number of keys
// that count tells; of one that has few keys few are taken, for they would be the
// same ones. If all, every shard comes, until something is found.
func (s *Store) eachSample(n, db int, all bool, count func(*engine.Tx, int) int, look func(tx *engine.Tx, shard, n int) (found int)) {
	visit := func(shard int) (found int) {
		s.viewShard(shard, func(tx *engine.Tx) {
			if have := count(tx, shard); have > 0 {
				found = look(tx, shard, min(n, max(have/4, 1)))
			}
		})
		return found
	}
	if all {
		first := s.evictor.rnd.IntN(s.eng.Shards())
		for i := range s.eng.Shards() {
			if visit((first+i)%s.eng.Shards()) > 0 {
				return
			}
		}
		return
	}
	for tries := 2 * n; n > 0 && tries > 0; tries-- {
		shard := s.pickShard(db, count)
		if shard < 0 {
			return
		}
		n -= visit(shard)
	}
}

// pickTries is how many shards are tried before all are counted.
const pickTries = 16

// pickShard returns a shard chosen at random with a chance in proportion to its
// number of keys; -1 if there are none.
func (s *Store) pickShard(db int, count func(*engine.Tx, int) int) (picked int) {
	shards, rnd := s.eng.Shards(), s.evictor.rnd
	most, tries := s.evictor.most[db], pickTries
	if most == 0 {
		tries = 0 // not known: all are counted
	}
	most -= most / 64 // it follows when keys get fewer
	defer func() { s.evictor.most[db] = most }()
	length := func(shard int) (n int) {
		s.viewShard(shard, func(tx *engine.Tx) { n = count(tx, shard) })
		most = max(most, n)
		return n
	}
	for range tries {
		shard := rnd.IntN(shards)
		if n := length(shard); n > 0 && rnd.IntN(most) < n {
			return shard
		}
	}
	// Most keys are in few shards. Each in turn replaces the choice so far with its
	// share of what was counted.
	picked, total := -1, 0
	for shard := range shards {
		n := length(shard)
		if total += n; n > 0 && rnd.IntN(total) < n {
			picked = shard
		}
	}
	return picked
}

// viewShard calls fn with a shard locked for reading.
func (s *Store) viewShard(shard int, fn func(tx *engine.Tx)) {
	var set ShardSet
	set.Add(shard)
	tx := s.eng.Begin(&set, false)
	defer tx.Rollback()
	fn(tx)
}

// score is how much a key should go.
func (s *Store) score(p EvictionPolicy, tx *engine.Tx, h *engine.Head, nowMs int64) uint64 {
	switch p.By {
	case EvictLFU:
		return uint64(math.MaxUint8 - s.access.Load().decayed(tx.Clock(h), nowMs, s.openMs))
	case EvictTTL:
		return math.MaxUint64 - uint64(h.ExpireMs)
	case EvictRandom:
		return 0
	case EvictLRU:
	}
	return uint64(idleSeconds(tx.Clock(h), nowMs, s.openMs))
}

// start makes an evictor ready, whose picks are by a source of chance.
func (e *evictor) start(chance rand.Source) {
	e.rnd, e.most = rand.New(chance), make(map[int]int)
}

// offer puts a key into the pool, which is in ascending order of scores, if it is
// better than one that is there, or there is room. The key is copied.
func (e *evictor) offer(db int, key []byte, score uint64) {
	if len(e.pool) == evictPoolSize {
		if score <= e.pool[0].score {
			return
		}
	}
	place := len(e.pool)
	for place > 0 && e.pool[place-1].score >= score {
		place--
	}
	for i := range e.pool {
		if c := &e.pool[i]; c.db == db && string(c.key) == string(key) {
			return
		}
	}
	if len(e.pool) == evictPoolSize {
		e.recycle(&e.pool[0])
		copy(e.pool, e.pool[1:place])
		place--
	} else {
		e.pool = append(e.pool, candidate{})
		copy(e.pool[place+1:], e.pool[place:])
	}
	var room []byte
	if n := len(e.spare); n > 0 {
		room, e.spare = e.spare[n-1], e.spare[:n-1]
	}
	e.pool[place] = candidate{db, append(room, key...), score}
}

// forget empties the pool.
func (e *evictor) forget() {
	for i := range e.pool {
		e.recycle(&e.pool[i])
	}
	e.pool = e.pool[:0]
}

// maxSpareKey is how much room for a key is kept.
const maxSpareKey = 1024

// recycle keeps the room for the key of a candidate that has left the pool.
func (e *evictor) recycle(c *candidate) {
	if cap(c.key) <= maxSpareKey {
		e.spare = append(e.spare, c.key[:0])
	}
	c.key = nil
}

// evict evicts a candidate, unless it is gone or less of one than it was. done
// reports whether it did.
func (s *Store) evict(p EvictionPolicy, c *candidate) (done bool, err error) {
	var set ShardSet
	s.AddKey(&set, c.key)
	tx := s.Begin(&set, true, c.db)
	h, ok := tx.eng.Get(keySpace(c.db), c.key)
	if !ok || p.Volatile && h.ExpireMs == 0 || s.score(p, tx.eng, &h, tx.nowMs) < c.score {
		tx.Rollback()
		return false, nil
	}
	tx.removeEvicted(c.db, c.key, &h)
	_, err = tx.Commit()
	return err == nil, err
}

// removeEvicted removes a key for its memory. Like an expiry it is not a change
// that a save would have to write.
func (tx *Tx) removeEvicted(db int, key []byte, h *engine.Head) {
	if h.Collection() != nil {
		tx.lazyfreed++
	}
	tx.deleteHead(db, key, h.Tag)
	tx.evicted++
	tx.touchWatchers(db, key)
	tx.notify(db, key, EventEvicted, "evicted")
}
