package types

import (
	"slices"
	"sync"
	"sync/atomic"

	"bitkv/engine"
)

// WATCH works as in Redis: a change of a watched key marks its watchers dirty at
// once, under the key's shard lock. EXEC locks the watched keys' shards before it
// asks, so no change falls between the question and the commit. A change that is
// rolled back, or whose commit fails, leaves its mark: EXEC then fails once too
// often, which clients must expect anyway.
//
// A key that was expired already when it was watched (and not yet removed) is
// missing to everybody: its removal is no change, so the mark is not set for it.

// watchTable is who watches what, per shard.
type watchTable struct {
	entries atomic.Int64 // over all shards; 0 lets writers skip the rest
	shards  [engine.MaxShards]watchShard
}

type watchShard struct {
	mu   sync.Mutex // guards the following; taken under the engine's shard lock or alone
	keys map[watchedKey][]*watch
}

type watchedKey struct {
	db  int
	key string
}

// watch is one key of one Watcher.
type watch struct {
	owner   *Watcher
	key     watchedKey
	expired bool // the key had expired when it was watched; guarded by the shard's mu
}

// Watcher is one client's WATCHed keys. Its methods are for one goroutine at a
// time; the changes it watches for may come from any.
type Watcher struct {
	s       *Store
	dirty   atomic.Bool
	watches []*watch
}

// NewWatcher returns a Watcher without keys.
func (s *Store) NewWatcher() *Watcher { return &Watcher{s: s} }

// Watch adds a key of the transaction's database. REQUIRES: tx holds its shard.
func (w *Watcher) Watch(tx *Tx, key []byte) {
	for _, x := range w.watches {
		if x.key.db == tx.db && x.key.key == string(key) {
			return
		}
	}
	h, ok := tx.eng.Get(keySpace(tx.db), key)
	x := &watch{
		owner:   w,
		key:     watchedKey{tx.db, string(key)},
		expired: ok && tx.isExpired(&h),
	}
	w.watches = append(w.watches, x)
	table := &w.s.watched
	shard := &table.shards[w.s.eng.ShardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.keys == nil {
		shard.keys = make(map[watchedKey][]*watch)
	}
	shard.keys[x.key] = append(shard.keys[x.key], x)
	table.entries.Add(1)
}

// Len is the number of watched keys.
func (w *Watcher) Len() int { return len(w.watches) }

// AddKeys adds the shards of the watched keys to the set that EXEC locks.
func (w *Watcher) AddKeys(set *ShardSet) {
	for _, x := range w.watches {
		w.s.AddKey(set, []byte(x.key.key))
	}
}

// Dirty reports whether a watched key was changed since it was watched.
func (w *Watcher) Dirty() bool { return w.dirty.Load() }

// DirtyAt is Dirty for EXEC: a watched key whose time has come since counts as
// changed too. REQUIRES: tx holds the shards that AddKeys added.
func (w *Watcher) DirtyAt(tx *Tx) bool {
	if w.Dirty() {
		return true
	}
	for _, x := range w.watches {
		if x.isExpired() {
			continue
		}
		h, ok := tx.eng.Get(keySpace(x.key.db), []byte(x.key.key))
		if ok && tx.isExpired(&h) {
			return true
		}
	}
	return false
}

func (x *watch) isExpired() bool {
	shard := &x.owner.s.watched.shards[x.owner.s.eng.ShardOf([]byte(x.key.key))]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return x.expired
}

// Unwatch forgets all keys and that any of them was changed. It must be called
// before a Watcher is dropped.
func (w *Watcher) Unwatch() {
	for _, x := range w.watches {
		w.s.watched.remove(w.s.eng.ShardOf([]byte(x.key.key)), x)
	}
	w.watches = nil
	w.dirty.Store(false)
}

func (t *watchTable) remove(shardIndex int, x *watch) {
	shard := &t.shards[shardIndex]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	list := slices.DeleteFunc(shard.keys[x.key], func(other *watch) bool { return other == x })
	if len(list) == 0 {
		delete(shard.keys, x.key)
	} else {
		shard.keys[x.key] = list
	}
	t.entries.Add(-1)
}

// touchWatchers marks the watchers of a key that was just changed. The caller
// holds the key's shard for writing, so no watch of this key can be added now.
func (tx *Tx) touchWatchers(db int, key []byte) {
	table := &tx.s.watched
	if table.entries.Load() == 0 {
		return
	}
	shard := &table.shards[tx.s.eng.ShardOf(key)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, x := range shard.keys[watchedKey{db, string(key)}] {
		if x.expired {
			if _, exists := tx.eng.Get(keySpace(db), key); !exists {
				x.expired = false // an expired key was removed: nothing changed
				continue
			}
		}
		x.owner.dirty.Store(true)
	}
}

// noDB stands for a database that replaces nothing: FLUSHDB.
const noDB = -1

// touchWatchersOfDB marks the watchers of every key of a database that exists in
// it, or in the database that is about to take its place (SWAPDB; noDB if none).
// It is called before the change, with all shards locked for writing.
func (tx *Tx) touchWatchersOfDB(db, replacement int) {
	table := &tx.s.watched
	if table.entries.Load() == 0 {
		return
	}
	for i := range table.shards {
		shard := &table.shards[i]
		shard.mu.Lock()
		for key, list := range shard.keys {
			if key.db == db {
				tx.touchReplaced(key, replacement, list)
			}
		}
		shard.mu.Unlock()
	}
}

func (tx *Tx) touchReplaced(key watchedKey, replacement int, list []*watch) {
	_, isHere := tx.eng.Get(keySpace(key.db), []byte(key.key))
	var willBe, willBeExpired bool
	if replacement != noDB {
		var h engine.Head
		h, willBe = tx.eng.Get(keySpace(replacement), []byte(key.key))
		willBeExpired = willBe && tx.isExpired(&h)
	}
	if !isHere && !willBe {
		return
	}
	for _, x := range list {
		switch {
		case x.expired && !willBe:
			x.expired = false
		case x.expired && willBeExpired:
		case !x.expired && !isHere && willBeExpired:
			x.expired = true
		default:
			x.owner.dirty.Store(true)
		}
	}
}
