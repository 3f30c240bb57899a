package types

import (
	"bytes"

	"bitkv/engine"
)

// Keyspace is the commands for keys of any type over a transaction.
type Keyspace struct{ tx *Tx }

// Del removes a key, DEL and UNLINK alike: the memory of a large value is given
// back in the background in any case. It reports whether the key existed.
func (k Keyspace) Del(key []byte) bool {
	tx := k.tx
	h, ok := tx.find(tx.db, key)
	if !ok {
		return false
	}
	tx.remove(tx.db, key, &h)
	tx.signalModified(tx.db, key, EventGeneric, "del")
	return true
}

// Exists reports whether a key exists, without touching its access clock.
func (k Keyspace) Exists(key []byte) bool {
	_, ok := k.tx.read(key, noTouch)
	return ok
}

// Touch is Exists that sets the access clock (TOUCH), even with NO-TOUCH.
func (k Keyspace) Touch(key []byte) bool {
	_, ok := k.tx.read(key, forced)
	return ok
}

// Type returns the name of a key's type as TYPE says it: "none" if there is no
// such key.
func (k Keyspace) Type(key []byte) string {
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return "none"
	}
	return typeName(h.Tag)
}

// Rename moves a key over another one. ErrNoKey if it does not exist. If nx, it
// does nothing and returns false if the destination exists.
func (k Keyspace) Rename(from, to []byte, nx bool) (done bool, err error) {
	tx := k.tx
	h, ok := tx.forWrite(tx.db, from)
	if !ok {
		return false, ErrNoKey
	}
	if bytes.Equal(from, to) {
		return !nx, nil
	}
	old, exists := tx.forWrite(tx.db, to)
	if exists && nx {
		return false, nil
	}
	tx.noteOverwritten(tx.db, to, &old, exists)
	if err := tx.rename(&h, from, tx.db, to); err != nil {
		return false, tx.fail(err)
	}
	tx.signalModified(tx.db, from, EventGeneric, "rename_from")
	tx.touchWatchers(tx.db, to)
	tx.noteReady(tx.db, to)
	tx.notifyNew(tx.db, to, exists)
	tx.notify(tx.db, to, EventGeneric, "rename_to")
	return true, nil
}

// Move moves a key to another database. It does nothing and returns false if it
// does not exist here or exists there. ErrDBRange and ErrSameObject as Copy.
func (k Keyspace) Move(key []byte, toDB int) (done bool, err error) {
	tx := k.tx
	if !tx.s.hasDB(toDB) {
		return false, ErrDBRange
	}
	if toDB == tx.db {
		return false, ErrSameObject
	}
	h, ok := tx.forWrite(tx.db, key)
	if !ok {
		return false, nil
	}
	if _, exists := tx.forWrite(toDB, key); exists {
		return false, nil
	}
	if err := tx.rename(&h, key, toDB, key); err != nil {
		return false, tx.fail(err)
	}
	tx.signalModified(tx.db, key, EventGeneric, "move_from")
	tx.touchWatchers(toDB, key)
	tx.noteReady(toDB, key)
	tx.notifyNew(toDB, key, false)
	tx.notify(toDB, key, EventGeneric, "move_to")
	return true, nil
}

// Copy copies a key to key to of database toDB, over an existing one only if
// replace. ErrDBRange and ErrSameObject say what they say.
func (k Keyspace) Copy(from, to []byte, toDB int, replace bool) (done bool, err error) {
	tx := k.tx
	if !tx.s.hasDB(toDB) {
		return false, ErrDBRange
	}
	if toDB == tx.db && bytes.Equal(from, to) {
		return false, ErrSameObject
	}
	h, ok := tx.read(from, withTouch)
	if !ok {
		return false, nil
	}
	old, exists := tx.forWrite(toDB, to)
	if exists && !replace {
		return false, nil
	}
	meta := tx.putMeta(h.Tag|tagCopy, h.ExpireMs, nil, false)
	tx.noteOverwritten(toDB, to, &old, exists)
	if err := tx.copyValue(&h, toDB, to, meta); err != nil {
		return false, tx.fail(err)
	}
	if hasFieldTTL(h.Tag) {
		if err := tx.copyFieldTTL(from, toDB, to); err != nil {
			return false, tx.fail(err)
		}
	}
	tx.notifyNew(toDB, to, exists)
	tx.signalModified(toDB, to, EventGeneric, "copy_to")
	return true, nil
}

// copyValue writes the value of a head to another key.
func (tx *Tx) copyValue(h *engine.Head, toDB int, to []byte, m engine.Meta) error {
	k, err := knownKind(h.Tag)
	if err != nil {
		return err
	}
	return k.copy(tx, k, h, toDB, to, m)
}

func (tx *Tx) copyString(_ *kind, h *engine.Head, toDB int, to []byte, m engine.Meta) error {
	if h.Collection() != nil {
		return tx.copyChunks(h, toDB, to, m)
	}
	return tx.copyHead(h, toDB, to, m)
}

// copyHead copies a value that is whole in its head.
func (tx *Tx) copyHead(h *engine.Head, toDB int, to []byte, m engine.Meta) error {
	value, err := tx.eng.AppendValue(tx.scratch[:0], h)
	tx.scratch = value
	if err != nil {
		return err
	}
	return tx.eng.Put(keySpace(toDB), to, m, value)
}

// copyEntries copies a collection, in the form that it has.
func (tx *Tx) copyEntries(k *kind, h *engine.Head, toDB int, to []byte, m engine.Meta) error {
	if h.Collection() == nil {
		return tx.copyHead(h, toDB, to, m)
	}
	return tx.copyCollection(h, k.order, keySpace(toDB), to, m)
}

// copyCollection copies the collection of a head to a key of another keyspace.
func (tx *Tx) copyCollection(h *engine.Head, order engine.Order, space int, to []byte, m engine.Meta) error {
	c, err := tx.eng.NewCollection(order), error(nil)
	h.Collection().AscendAt(0, func(e engine.Element) bool {
		if tx.scratch, err = tx.eng.AppendElementValue(tx.scratch[:0], &e); err == nil {
			_, err = tx.eng.PutElement(c, e.Subkey, tx.scratch)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return tx.eng.PutCollection(space, to, m, c, nil)
}

// SwapDB exchanges two databases. REQUIRES: all shards locked for writing.
// ErrDBRange: one of them does not exist.
func (k Keyspace) SwapDB(a, b int) error {
	tx := k.tx
	if !tx.s.hasDB(a) || !tx.s.hasDB(b) {
		return ErrDBRange
	}
	tx.dirty++
	if a == b {
		return nil
	}
	tx.touchWatchersOfDB(a, b)
	tx.touchWatchersOfDB(b, a)
	tx.eng.SwapSpaces(keySpace(a), keySpace(b))
	tx.eng.SwapSpaces(fieldSpace(a), fieldSpace(b))
	tx.noteReadyDB(a)
	tx.noteReadyDB(b)
	return nil
}

// FlushDB removes every key of the transaction's database. REQUIRES: as SwapDB.
func (k Keyspace) FlushDB() { k.tx.flush(k.tx.db) }

// FlushAll removes every key of every database. REQUIRES: as SwapDB.
func (k Keyspace) FlushAll() {
	for db := range k.tx.s.Databases() {
		k.tx.flush(db)
	}
}

func (tx *Tx) flush(db int) {
	tx.touchWatchersOfDB(db, noDB)
	n := int64(tx.eng.ClearSpace(keySpace(db)))
	tx.eng.ClearSpace(fieldSpace(db))
	tx.dirty += n
	tx.lazyfreed += n
}

// Size is DBSIZE: expired keys that are still there count, as in Redis.
func (k Keyspace) Size() int64 { return int64(k.tx.s.eng.Len(keySpace(k.tx.db))) }

func (s *Store) hasDB(db int) bool { return db >= 0 && db < s.Databases() }

// rename moves a key, found as h, with all that belongs to it.
func (tx *Tx) rename(h *engine.Head, from []byte, toDB int, to []byte) error {
	if hasFieldTTL(h.Tag) {
		if _, err := tx.eng.Rename(fieldSpace(tx.db), from, fieldSpace(toDB), to); err != nil {
			return err
		}
	}
	_, err := tx.eng.Rename(keySpace(tx.db), from, keySpace(toDB), to)
	return err
}

// noteOverwritten counts the value of a key that is about to be replaced, and
// deletes what belongs to it beside its head.
func (tx *Tx) noteOverwritten(db int, key []byte, old *engine.Head, exists bool) {
	if !exists {
		return
	}
	if old.Collection() != nil {
		tx.lazyfreed++
	}
	if hasFieldTTL(old.Tag) {
		tx.eng.Delete(fieldSpace(db), key)
	}
}

// notifyNew notes that a key came to be, unless it existed.
func (tx *Tx) notifyNew(db int, key []byte, existed bool) {
	if !existed {
		tx.notify(db, key, EventNew, "new")
	}
}
