package types

import (
	"encoding/binary"
	"fmt"

	"bitkv/engine"
)

// Fields of a hash that expire. Their expiries are in a collection of their own,
// beside the hash in either of its forms, and so cost a hash without them nothing:
//
//	key      that of the hash, in the keyspace fieldSpace
//	tag      tagFieldExpiries
//	expiry   of this key itself: not after the first of its fields'
//	elements field -> expiry, Unix milliseconds, 8 bytes, big-endian (OrderScore)
//
// The order by value is that of time: the fields that have expired are the first
// ones, and how many they are is a rank. The key's own expiry brings it to the
// active expiry when the first field is due (and now and then too early, when
// that one lost its expiry meanwhile). The hash's tag says that there is such a
// key; whatever becomes of the hash becomes of it in the same transaction.
//
// A field whose time has come is missing to everybody at once, in every method of
// coll, and a hash of nothing but such fields does not exist. They are taken out
// by the active expiry, and after a command that met them.

// tagFieldExpiries is the tag of the keys in fieldSpace. It is on disk and never
// changes.
const tagFieldExpiries = 15

// lateFields is how many expired fields of one hash are removed after a command
// that met them.
const lateFields = 1000

// fieldTTL is the expiries of an open hash. The zero value has none.
type fieldTTL struct {
	c       *engine.Collection
	armedMs int64 // the expiry of its key; 0: not written yet
	expired int   // fields that are in the hash and have expired
}

func encodeMs(ms int64) (b [8]byte) {
	binary.BigEndian.PutUint64(b[:], uint64(ms))
	return b
}

func elementMs(e *engine.Element) int64 {
	value, _ := e.Value()
	return int64(binary.BigEndian.Uint64(value[:]))
}

// loadFieldTTL finds the expiries of a hash that has some.
func (c *coll) loadFieldTTL() error {
	h, ok := c.tx.eng.Get(fieldSpace(c.db), c.key)
	if !ok || h.Collection() == nil {
		return fmt.Errorf("types: a hash whose field expiries are missing: %w", engine.ErrCorrupt)
	}
	c.ttl = fieldTTL{c: h.Collection(), armedMs: h.ExpireMs}
	c.ttl.expired = c.tx.countExpired(c.ttl.c)
	return nil
}

// countExpired returns how many of the expiries are before now.
func (tx *Tx) countExpired(ttl *engine.Collection) int {
	now := encodeMs(tx.nowMs)
	n, _ := ttl.RankScore(now[:], nil)
	return n
}

// fieldExpireMs returns the expiry of a field; 0 if it has none.
func (c *coll) fieldExpireMs(field []byte) int64 {
	if c.ttl.c == nil {
		return 0
	}
	e, ok := c.tx.eng.GetElement(c.ttl.c, field)
	if !ok {
		return 0
	}
	return elementMs(&e)
}

// fieldExpired reports whether a field is there and has expired.
func (c *coll) fieldExpired(field []byte) bool {
	if c.ttl.expired == 0 {
		return false
	}
	at := c.fieldExpireMs(field)
	return at != 0 && c.tx.nowMs > at
}

// forgetFieldTTL takes the expiry of a field away. It reports whether it had one.
func (c *coll) forgetFieldTTL(field []byte) bool {
	if c.ttl.c == nil {
		return false
	}
	if c.fieldExpired(field) {
		c.ttl.expired--
	}
	return c.tx.eng.DeleteElement(c.ttl.c, field)
}

// setFieldTTL gives a field, which has not expired, an expiry that has not come.
func (c *coll) setFieldTTL(field []byte, atMs int64) error {
	if c.ttl.c == nil {
		c.ttl = fieldTTL{c: c.tx.eng.NewCollection(engine.OrderScore)}
		c.tag |= tagFieldTTL
	}
	at := encodeMs(atMs)
	if _, err := c.tx.eng.PutElement(c.ttl.c, field, at[:]); err != nil {
		return c.tx.fail(err)
	}
	return nil
}

// writeFieldTTL brings the key of the expiries in line with them. It may change
// the tag that the hash is to have.
func (c *coll) writeFieldTTL() error {
	tx := c.tx
	if c.ttl.c == nil {
		return nil
	}
	if c.ttl.c.Len() == 0 {
		tx.eng.Delete(fieldSpace(c.db), c.key)
		c.ttl = fieldTTL{}
		c.tag &^= tagFieldTTL
		return nil
	}
	e := c.ttl.c.AtScore(0)
	first, armed := elementMs(&e), c.ttl.armedMs
	switch {
	case armed == 0:
		m := engine.Meta{Tag: tagFieldExpiries, ExpireMs: first}
		return tx.eng.PutCollection(fieldSpace(c.db), c.key, m, c.ttl.c, nil)
	case first < armed, armed < tx.nowMs && first != armed:
		tx.eng.SetExpire(fieldSpace(c.db), c.key, first)
	}
	return nil
}

// allFieldsExpired reports whether nothing in a hash with field expiries is left.
// A hash of which some have expired is kept in mind to be cleaned up. A damaged
// one has something left, for whoever reads it to report.
func (tx *Tx) allFieldsExpired(db int, key []byte, h *engine.Head) bool {
	ttl, ok := tx.eng.Get(fieldSpace(db), key)
	if !ok || ttl.Collection() == nil || tx.countExpired(ttl.Collection()) == 0 {
		return false
	}
	tx.noteLate(db, key)
	defer tx.trimArena(len(tx.arena))
	c, err := tx.open(db, key, h, &kinds[tagHash])
	return err == nil && c.len() == 0
}

// dropEmptied removes a hash of which all fields have expired, if the transaction
// can. Otherwise allFieldsExpired has noted it.
func (tx *Tx) dropEmptied(db int, key []byte, h *engine.Head) {
	if !tx.write || tx.s.expiryPaused.Load() {
		return
	}
	if ttl, ok := tx.eng.Get(fieldSpace(db), key); ok && ttl.Collection() != nil {
		tx.expiredFields += int64(ttl.Collection().Len())
	}
	tx.remove(db, key, h)
	tx.signalFieldsExpired(db, key, true)
}

// signalFieldsExpired tells others that fields of a hash were removed. As with
// keys, that is not a change that a save would have to write.
func (tx *Tx) signalFieldsExpired(db int, key []byte, emptied bool) {
	tx.touchWatchers(db, key)
	tx.notify(db, key, EventHash, "hexpired")
	if emptied {
		tx.notify(db, key, EventGeneric, "del")
	}
}

// expireFields removes up to limit fields of a hash whose time has come, or the
// whole key, if its own has or no field is left. It returns how many fields, or 1
// for a key.
func (tx *Tx) expireFields(db int, key []byte, limit int) (n int, err error) {
	h, ok := tx.eng.Get(keySpace(db), key)
	switch {
	case ok && tx.isExpired(&h):
		tx.removeExpired(db, key, h.Tag)
		return 1, nil
	case !ok || !hasFieldTTL(h.Tag):
		tx.eng.Delete(fieldSpace(db), key) // there should be none
		return 0, nil
	}
	defer tx.trimArena(len(tx.arena))
	c, err := tx.open(db, key, &h, &kinds[tagHash])
	if err != nil {
		return 0, err
	}
	for ; n < limit && c.ttl.expired > 0; n++ {
		e := c.ttl.c.AtScore(0)
		field := append(tx.scratch[:0], e.Subkey...)
		tx.scratch = field
		c.forgetFieldTTL(field)
		c.dropEntry(field)
	}
	tx.expiredFields += int64(n)
	if c.size() == 0 {
		tx.remove(db, key, &h)
	} else if err := c.write(); err != nil {
		return 0, err
	}
	if n > 0 {
		tx.signalFieldsExpired(db, key, c.size() == 0)
	}
	return n, nil
}

// copyFieldTTL copies the field expiries of a key of the transaction's database.
func (tx *Tx) copyFieldTTL(from []byte, toDB int, to []byte) error {
	h, ok := tx.eng.Get(fieldSpace(tx.db), from)
	if !ok {
		return fmt.Errorf("types: a hash whose field expiries are missing: %w", engine.ErrCorrupt)
	}
	m := engine.Meta{Tag: tagFieldExpiries, ExpireMs: h.ExpireMs}
	return tx.copyCollection(&h, engine.OrderScore, fieldSpace(toDB), to, m)
}

// What Expire and Persist answer for a field.
const (
	FieldMissing   = -2
	FieldNoExpiry  = -1 // Persist
	FieldUnchanged = 0  // a condition forbade it
	FieldChanged   = 1
	FieldDeleted   = 2 // the time had come already
)

// MaxFieldExpireMs is the latest expiry that a field can have.
const MaxFieldExpireMs = 1<<46 - 1

// ExpireMs returns the expiry of a field in Unix milliseconds, 0 if it has none
// (HTTL and its kin). ok is false if there is no such field.
func (f *Fields) ExpireMs(field []byte) (atMs int64, ok bool) {
	if _, ok := f.c.get(field); !ok {
		return 0, false
	}
	return f.c.fieldExpireMs(field), true
}

// Expire sets the expiry of fields (HEXPIRE and its kin) and calls fn with what
// became of each. A time that has come deletes the field.
func (h Hash) Expire(key []byte, fields [][]byte, atMs int64, cond ExpireCond, fn func(result int)) error {
	tx := h.tx
	c, err := tx.openWrite(key, tagHash)
	if err != nil {
		return err
	}
	var changed, deleted int64
	for _, field := range fields {
		result := FieldChanged
		_, exists := c.get(field)
		switch {
		case !exists:
			result = FieldMissing
		case !cond.allows(c.fieldExpireMs(field), atMs):
			result = FieldUnchanged
		case atMs <= tx.nowMs:
			c.remove(field)
			result = FieldDeleted
			deleted++
		default:
			if err := c.setFieldTTL(field, atMs); err != nil {
				return err
			}
			changed++
		}
		fn(result)
	}
	tx.expiredFields += deleted
	event := "hexpire"
	if deleted > 0 {
		event = "hdel"
	}
	return c.finish(changed+deleted, event)
}

// Persist takes the expiry of fields away (HPERSIST) and calls fn with what
// became of each.
func (h Hash) Persist(key []byte, fields [][]byte, fn func(result int)) error {
	c, err := h.tx.openWrite(key, tagHash)
	if err != nil {
		return err
	}
	changed := int64(0)
	for _, field := range fields {
		result := FieldNoExpiry
		if _, exists := c.get(field); !exists {
			result = FieldMissing
		} else if c.forgetFieldTTL(field) {
			result = FieldChanged
			changed++
		}
		fn(result)
	}
	return c.finish(changed, "hpersist")
}

// Check returns ErrWrongType if a key is there and no hash. It counts nothing.
func (h Hash) Check(key []byte) error {
	head, ok := h.tx.find(h.tx.db, key)
	if ok && head.Tag&tagTypeMask != tagHash {
		return ErrWrongType
	}
	return nil
}
