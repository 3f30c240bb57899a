package engine

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
	dst, err := db.appendLocked(dst, s.tables[space], key)
	s.mu.RUnlock()
	return dst, err
}

// appendLocked appends the value of a key in t, which may be nil, to dst. It goes by
// the cell alone where it can: unpacking the entry would hold up the read of the
// record, which is what the time is spent on. REQUIRES: the shard is locked.
func (db *DB) appendLocked(dst []byte, t *table, key []byte) ([]byte, error) {
	if t == nil {
		return dst, ErrNotFound
	}
	slot, ok := t.index.get(key)
	if !ok {
		return dst, ErrNotFound
	}
	c := t.slots.cell(slot)
	if c.flags()&^flagExpireRec != 0 {
		e := t.slots.at(slot)
		if e.expireMs != 0 && e.expireMs <= db.opt.NowMs() {
			return dst, ErrNotFound
		}
		return db.appendEntryValue(dst, t, &e, key)
	}
	var w want
	w.kind, w.id, w.key, w.valueLen = kindPut, uint64(t.space.id), key, int(c[cellSize])
	return db.readRecord(dst, c.loc(), &w)
}

func (db *DB) shardOf(key []byte) *shard { return &db.shards[db.opt.ShardOf(key)&db.shardMask] }

// Put writes a key in keyspace 0 and acknowledges it as the sync policy says. Both
// slices are copied: the caller may use them again once Put has returned. Nil is
// the same as empty, and both may be empty: Get of an empty value returns no bytes
// and no error.
func (db *DB) Put(key, value []byte) error { return db.PutExpire(key, value, 0) }

// PutExpire is Put with an absolute expiry in Unix milliseconds.
func (db *DB) PutExpire(key, value []byte, expireMs int64) error {
	tx := db.BeginKey(key, true)
	if err := tx.Put(0, key, Meta{ExpireMs: expireMs}, value); err != nil {
		tx.Rollback()
		return err
	}
	return db.commitAck(tx)
}

// Delete removes a key of keyspace 0. Removing a key that is not there is no
// error and writes nothing.
func (db *DB) Delete(key []byte) error {
	tx := db.BeginKey(key, true)
	tx.Delete(0, key)
	return db.commitAck(tx)
}

func (db *DB) commitAck(tx *Tx) error {
	seq, err := tx.Commit()
	if err != nil {
		return err
	}
	if err := db.Ack(seq); err != nil {
		return errorf("engine: acknowledge: %w", err)
	}
	return nil
}
