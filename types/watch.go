package types

// Watcher is one client's WATCHed keys. Its methods are for one goroutine at a
// time; the changes it watches for may come from any.
type Watcher struct {
	s *Store
}

// NewWatcher returns a Watcher without keys.
func (s *Store) NewWatcher() *Watcher { panic("Y") }

// Watch adds a key of the transaction's database. REQUIRES: tx holds its shard.
func (w *Watcher) Watch(tx *Tx, key []byte) { panic("Y") }

// Watching reports whether any key is watched.
func (w *Watcher) Watching() bool { panic("Y") }

// AddKeys adds the shards of the watched keys to the set that EXEC locks.
func (w *Watcher) AddKeys(set *ShardSet) { panic("Y") }

// Dirty reports whether a watched key was changed since it was watched.
func (w *Watcher) Dirty() bool { panic("Y") }

// DirtyAt is Dirty for EXEC: a watched key whose time has come since counts as
// changed too. REQUIRES: tx holds the shards that AddKeys added.
func (w *Watcher) DirtyAt(tx *Tx) bool { panic("Y") }

// Unwatch forgets all keys and that any of them was changed. It must be called
// before a Watcher is dropped.
func (w *Watcher) Unwatch() { panic("Y") }
