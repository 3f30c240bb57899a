package engine

import "fmt"

// Get returns the value of a key in keyspace 0, in a slice of its own, or
// ErrNotFound. An empty value may be returned as nil.
func (db *DB) Get(key []byte) ([]byte, error) { return db.AppendGet(nil, key) }

// AppendGet is Get with the value appended to dst, so that a caller can use one
// buffer for many.
func (db *DB) AppendGet(dst, key []byte) ([]byte, error) { return db.appendGet(dst, 0, key) }

func (db *DB) appendGet(dst []byte, space int, key []byte) ([]byte, error) {
	if db.closing.Load() {
		return dst, ErrClosed
	}
	s := db.shardOf(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[space]
	if t == nil {
		return dst, ErrNotFound
	}
	slot, ok := t.index.get(key)
	if !ok {
		return dst, ErrNotFound
	}
	e := t.slots.at(slot)
	if e.expireMs != 0 && e.expireMs <= db.opt.NowMs() {
		return dst, ErrNotFound
	}
	return db.appendEntryValue(dst, t, &e, key)
}

func (db *DB) shardOf(key []byte) *shard { return &db.shards[db.opt.ShardOf(key)&db.shardMask] }

// Put writes a key in keyspace 0 and acknowledges it as the sync policy says. Both
// slices are copied: the caller may use them again once Put has returned. Nil is
// the same as empty, and both may be empty: Get of an empty value returns no bytes
// and no error.
func (db *DB) Put(key, value []byte) error { return db.PutExpire(key, value, 0) }

// PutExpire is Put with an absolute expiry in Unix milliseconds.
func (db *DB) PutExpire(key, value []byte, expireMs int64) error {
	tx := db.beginKey(key)
	if err := tx.Put(0, key, Meta{ExpireMs: expireMs}, value); err != nil {
		tx.Rollback()
		return err
	}
	return db.commitAck(tx)
}

// Delete removes a key of keyspace 0. Removing a key that is not there is no
// error and writes nothing.
func (db *DB) Delete(key []byte) error {
	tx := db.beginKey(key)
	tx.Delete(0, key)
	return db.commitAck(tx)
}

// beginKey begins a writing transaction over the shard of one key.
func (db *DB) beginKey(key []byte) *Tx {
	var set ShardSet
	set.Add(db.ShardOf(key))
	return db.Begin(&set, true)
}

func (db *DB) commitAck(tx *Tx) error {
	seq, err := tx.Commit()
	if err != nil {
		return err
	}
	if err := db.Ack(seq); err != nil {
		return fmt.Errorf("engine: acknowledge: %w", err)
	}
	return nil
}
