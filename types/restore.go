package types

import (
	"bitkv/engine"
)

// RestoreOptions are the options of RESTORE.
type RestoreOptions struct {
	// ExpireMs is the expiry in Unix milliseconds; 0: none. One that has come
	// makes no key.
	ExpireMs int64
	// IdleSec is how long ago the key was accessed, and Freq its access counter;
	// -1: not given. They count if the access clock is of that kind.
	IdleSec, Freq int64
}

// Taken reports whether a key exists, for a command that wants to make it. It does
// not count as a lookup.
func (k Keyspace) Taken(key []byte) bool {
	_, ok := k.tx.forWrite(k.tx.db, key)
	return ok
}

// Restore makes a key of a payload of DUMP, ours or Redis's, over whatever the key
// was (RESTORE). ErrDumpVersion or ErrDumpFormat if the payload is not one; nothing
// is changed then. It is read twice: before anything is written it is known to be
// right.
func (k Keyspace) Restore(key, payload []byte, o RestoreOptions) error {
	tx := k.tx
	tx.beginCommand()
	body, err := checkDump(payload)
	if err != nil {
		return err
	}
	v, err := newRDBValue(body, tx.s.MaxValueBytes())
	if err != nil {
		return err
	}
	tx.sanitized += int64(v.encoded)
	old, existed := tx.forWrite(tx.db, key)
	if o.ExpireMs != 0 && o.ExpireMs <= tx.nowMs {
		if existed {
			tx.remove(tx.db, key, &old)
			tx.signalModified(tx.db, key, EventGeneric, "del")
		}
		return nil
	}
	if existed { // the key that comes has nothing of the one that goes
		tx.remove(tx.db, key, &old)
	}
	if v.tag == tagString {
		err = tx.restoreString(key, v, o.ExpireMs)
	} else {
		err = tx.restoreEntries(key, v, o.ExpireMs)
	}
	if err != nil {
		return tx.fail(err)
	}
	tx.setRestoredClock(key, o)
	tx.signalModified(tx.db, key, EventGeneric, "restore")
	return nil
}

// setRestoredClock gives a restored key its access clock.
func (tx *Tx) setRestoredClock(key []byte, o RestoreOptions) {
	h, ok := tx.eng.Get(keySpace(tx.db), key)
	if !ok {
		return // a hash all of whose fields have expired
	}
	switch lfu := tx.s.access.Load().LFU; {
	case lfu && o.Freq >= 0:
		tx.eng.SetClock(&h, lfuClock(tx.nowMs, uint8(o.Freq)))
	case !lfu && o.IdleSec >= 0:
		idleMs := min(o.IdleSec, maxIdleSec) * 1000
		tx.eng.SetClock(&h, lruNow(max(tx.nowMs-idleMs, 1000)))
	}
}

func (tx *Tx) restoreString(key []byte, v *rdbValue, expireMs int64) error {
	return v.each(func(e *rdbEntry) error {
		return tx.overwrite(key, e.value, tx.putMeta(tagString, expireMs, nil, false), &engine.Head{}, false)
	})
}

func (tx *Tx) restoreEntries(key []byte, v *rdbValue, expireMs int64) error {
	c := tx.create(key, v.tag)
	if v.rdbType == rdbZSet || v.rdbType == rdbZSetText {
		c.expectScores(v.entries, v.longest)
	}
	err := v.each(func(e *rdbEntry) error {
		switch v.tag {
		case tagHash:
			return c.restoreField(e)
		case tagList:
			return c.push(Right, e.value)
		case tagSet:
			_, err := c.addMember(e.key)
			return err
		default:
			return c.setScore(e.key, e.score, false)
		}
	})
	if err != nil || c.len() == 0 {
		return err
	}
	if err := c.write(); err != nil || expireMs == 0 {
		return err
	}
	tx.eng.SetExpire(keySpace(tx.db), key, expireMs)
	return nil
}

// restoreField adds a field, unless its time has come.
func (c *coll) restoreField(e *rdbEntry) error {
	if e.expireMs != 0 && e.expireMs < c.tx.nowMs {
		return nil
	}
	if _, err := c.setField(e.key, e.value, true); err != nil {
		return err
	}
	if e.expireMs == 0 {
		return nil
	}
	return c.setFieldTTL(e.key, e.expireMs)
}
