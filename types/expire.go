package types

import "math"

// ExpireUnit says what the number in an expiry option means.
type ExpireUnit uint8

// The units: of EX, PX, EXAT and PXAT.
const (
	Seconds ExpireUnit = iota
	Millis
	AtSeconds
	AtMillis
)

// ExpireMs turns the number given to EXPIRE and its kin into Unix milliseconds:
// any number but one that overflows is good. ErrExpireTime otherwise.
func (tx *Tx) ExpireMs(n int64, unit ExpireUnit) (int64, error) {
	if unit == Seconds || unit == AtSeconds {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return 0, ErrExpireTime
		}
		n *= 1000
	}
	if unit == Seconds || unit == Millis {
		if n > math.MaxInt64-tx.nowMs {
			return 0, ErrExpireTime
		}
		n += tx.nowMs
	}
	return n, nil
}

// PositiveExpireMs is ExpireMs for SET, SETEX, PSETEX and GETEX: n must be
// positive too.
func (tx *Tx) PositiveExpireMs(n int64, unit ExpireUnit) (int64, error) {
	if n <= 0 {
		return 0, ErrExpireTime
	}
	return tx.ExpireMs(n, unit)
}

// ExpireCond is a set of conditions on changing an expiry. NX with any other,
// and GT with LT, are for the caller to refuse.
type ExpireCond uint8

// The conditions of EXPIRE: the key has none, has one, has an earlier, a later one.
const (
	ExpireNX ExpireCond = 1 << iota
	ExpireXX
	ExpireGT
	ExpireLT
)

// allows reports whether an expiry may be changed from oldMs (0: none) to newMs.
// No expiry is later than any.
func (c ExpireCond) allows(oldMs, newMs int64) bool {
	switch {
	case c&ExpireNX != 0 && oldMs != 0:
		return false
	case c&ExpireXX != 0 && oldMs == 0:
		return false
	case c&ExpireGT != 0 && (oldMs == 0 || newMs <= oldMs):
		return false
	case c&ExpireLT != 0 && oldMs != 0 && newMs >= oldMs:
		return false
	}
	return true
}

// Expire sets the expiry of a key to Unix milliseconds, as ExpireMs returns
// them. A time that has come deletes the key. It returns false if the key does
// not exist or a condition forbade it.
func (k Keyspace) Expire(key []byte, atMs int64, cond ExpireCond) bool {
	tx := k.tx
	h, ok := tx.forWrite(tx.db, key)
	if !ok || !cond.allows(h.ExpireMs, atMs) {
		return false
	}
	if atMs <= tx.nowMs {
		tx.remove(tx.db, key, &h)
		tx.signalModified(tx.db, key, EventGeneric, "del")
		return true
	}
	tx.eng.SetExpire(keySpace(tx.db), key, atMs)
	tx.signalModified(tx.db, key, EventGeneric, "expire")
	return true
}

// Persist removes the expiry. It returns false if the key has none.
func (k Keyspace) Persist(key []byte) bool {
	tx := k.tx
	h, ok := tx.forWrite(tx.db, key)
	if !ok || h.ExpireMs == 0 {
		return false
	}
	tx.eng.SetExpire(keySpace(tx.db), key, 0)
	tx.signalModified(tx.db, key, EventGeneric, "persist")
	return true
}

// TTL is the time left in seconds, rounded; -1: for ever; -2: no such key.
func (k Keyspace) TTL(key []byte) int64 { return roundSeconds(k.PTTL(key)) }

// PTTL is TTL in milliseconds.
func (k Keyspace) PTTL(key []byte) int64 {
	at := k.PExpireTime(key)
	if at < 0 {
		return at
	}
	return max(at-k.tx.nowMs, 0)
}

// ExpireTime is the expiry in Unix seconds, rounded; -1 and -2 as TTL.
func (k Keyspace) ExpireTime(key []byte) int64 { return roundSeconds(k.PExpireTime(key)) }

// PExpireTime is ExpireTime in milliseconds.
func (k Keyspace) PExpireTime(key []byte) int64 {
	h, ok := k.tx.read(key, noTouch)
	switch {
	case !ok:
		return -2
	case h.ExpireMs == 0:
		return -1
	}
	return h.ExpireMs
}

// roundSeconds leaves -1 and -2 as they are.
func roundSeconds(ms int64) int64 {
	if ms < 0 {
		return ms
	}
	return int64((uint64(ms) + 500) / 1000)
}
