package types

import (
	"math"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"

	"bitkv/engine"
)

// Waiting for a key to hold something (BLPOP and its kin). Who finds nothing to
// take leaves an Await in the queue of each of its keys, under the keys' shard
// locks, so that nothing put there since can be missed. A transaction that leaves
// such a key with a value of a type somebody waits for says so (AppendReady), and
// whoever runs it serves the queue, in the order in which the clients came.

// awaitTable is who waits for what, per shard.
type awaitTable struct {
	waiting atomic.Int64 // keys that each waits for, together; 0 lets writers skip the rest
	keys    atomic.Int64 // different ones
	lastSeq atomic.Uint64
	shards  [engine.MaxShards]awaitShard
}

type awaitShard struct {
	mu   sync.Mutex // guards the following; taken under the engine's shard lock or alone
	keys map[watchedKey][]*Await
}

// Await is one client's wait for any of some keys.
type Await struct {
	// Owner is whoever waits; package types does not look at it.
	Owner any

	s        *Store
	typeName string
	seq      uint64
	keys     []watchedKey
	ended    sync.Once
}

// ReadyKey is a key with a value that is waited for.
type ReadyKey struct {
	DB  int
	Key string
}

// Await makes owner wait for any of the keys, of the transaction's database, to
// hold a value of the type of that name. End must be called when it is over.
// REQUIRES: tx holds the keys' shards for writing.
func (tx *Tx) Await(typeName string, keys [][]byte, owner any) *Await {
	table := &tx.s.awaited
	a := &Await{Owner: owner, s: tx.s, typeName: typeName, seq: table.lastSeq.Add(1)}
	for _, key := range keys {
		k := watchedKey{tx.db, string(key)}
		if slices.Contains(a.keys, k) {
			continue
		}
		a.keys = append(a.keys, k)
		shard := &table.shards[tx.s.eng.ShardOf(key)]
		shard.mu.Lock()
		if shard.keys == nil {
			shard.keys = make(map[watchedKey][]*Await)
		}
		if len(shard.keys[k]) == 0 {
			table.keys.Add(1)
		}
		shard.keys[k] = append(shard.keys[k], a)
		shard.mu.Unlock()
		table.waiting.Add(1)
	}
	return a
}

// TypeName is the type that is waited for.
func (a *Await) TypeName() string { return a.typeName }

// Seq grows with every Await: the order of service.
func (a *Await) Seq() uint64 { return a.seq }

// End takes the Await out of all queues. It may be called more than once.
func (a *Await) End() {
	a.ended.Do(func() {
		table := &a.s.awaited
		for _, k := range a.keys {
			shard := &table.shards[a.s.eng.ShardOf([]byte(k.key))]
			shard.mu.Lock()
			queue := slices.DeleteFunc(shard.keys[k], func(other *Await) bool { return other == a })
			if len(queue) == 0 {
				delete(shard.keys, k)
				table.keys.Add(-1)
			} else {
				shard.keys[k] = queue
			}
			shard.mu.Unlock()
			table.waiting.Add(-1)
		}
	})
}

// NextAwait returns the first in the queue of a key that came after the one with
// the number seq (Await.Seq; 0: the first of all), or nil.
func (s *Store) NextAwait(k ReadyKey, seq uint64) *Await {
	shard := &s.awaited.shards[s.eng.ShardOf([]byte(k.Key))]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, a := range shard.keys[watchedKey{k.DB, k.Key}] {
		if a.seq > seq {
			return a
		}
	}
	return nil
}

// noteReady keeps in mind that a key was changed which somebody waits for, and
// exists now. It is called after every change that can make a key exist.
func (tx *Tx) noteReady(db int, key []byte) {
	table := &tx.s.awaited
	if table.waiting.Load() == 0 {
		return
	}
	if typeName, ok := tx.liveType(db, key); ok && tx.s.isAwaited(db, key, typeName) {
		tx.addReady(watchedKey{db, string(key)})
	}
}

func (tx *Tx) addReady(k watchedKey) {
	if r := (ReadyKey{k.db, k.key}); !slices.Contains(tx.ready, r) {
		tx.ready = append(tx.ready, r)
	}
}

// isAwaited reports whether somebody waits for a key to hold a value of a type.
func (s *Store) isAwaited(db int, key []byte, typeName string) bool {
	shard := &s.awaited.shards[s.eng.ShardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return slices.ContainsFunc(shard.keys[watchedKey{db, string(key)}],
		func(a *Await) bool { return a.typeName == typeName })
}

// noteReadyDB is noteReady for every key of a database. REQUIRES: all shards
// locked.
func (tx *Tx) noteReadyDB(db int) {
	table := &tx.s.awaited
	if table.waiting.Load() == 0 {
		return
	}
	for i := range table.shards {
		shard := &table.shards[i]
		shard.mu.Lock()
		var keys []watchedKey
		for k := range shard.keys {
			if k.db == db {
				keys = append(keys, k)
			}
		}
		shard.mu.Unlock()
		for _, k := range keys {
			tx.noteReady(db, []byte(k.key))
		}
	}
}

// AppendReady appends the keys that the transaction leaves with a value somebody
// waits for, in the order in which they got one. They are ready once it has
// committed.
func (tx *Tx) AppendReady(dst []ReadyKey) []ReadyKey {
	for _, r := range tx.ready {
		if typeName, ok := tx.liveType(r.DB, []byte(r.Key)); ok && tx.s.isAwaited(r.DB, []byte(r.Key), typeName) {
			dst = append(dst, r)
		}
	}
	return dst
}

// TypeAt returns the type of a key of the transaction's database, without what
// follows from a lookup; ok is false if it does not exist or has expired.
func (tx *Tx) TypeAt(key []byte) (typeName string, ok bool) { return tx.liveType(tx.db, key) }

func (tx *Tx) liveType(db int, key []byte) (name string, ok bool) {
	h, ok := tx.eng.Get(keySpace(db), key)
	if !ok || tx.isExpired(&h) {
		return "", false
	}
	return typeName(h.Tag), true
}

// ParseTimeout parses the timeout of a command that waits: seconds, with a
// fraction, which become milliseconds, rounded up. Like the C of Redis 7.0 it
// makes the smallest number of what does not fit. ok is false if it is no number.
func ParseTimeout(arg []byte) (ms int64, ok bool) {
	x, ok := parseLongDouble(arg)
	if !ok {
		return 0, false
	}
	if x.IsInf() {
		return math.MinInt64, true
	}
	ms, rounded := x.Mul(x, big.NewFloat(1000)).Int64()
	switch {
	case rounded != big.Exact && (ms == math.MaxInt64 || ms == math.MinInt64):
		return math.MinInt64, true
	case rounded == big.Below:
		ms++
	}
	return ms, true
}

// Waiting is how many keys are waited for, a key once for each that waits.
func (s *Store) Waiting() int64 { return s.awaited.waiting.Load() }
