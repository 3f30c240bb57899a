package types

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"

	"bitkv/engine"
)

// Walks over the keyspace hold one shard at a time. A key has a slot in its
// shard, which it keeps as long as it lives, so (shard, slot) is a place in a
// walk that no write can shift: that is the cursor of SCAN,
//
//	slot << 8 | shard
//
// and (0, 0), where every walk begins, is never where one goes on, so that 0 can
// mean the end. RENAME and an overwriting SET are as in Redis: the key of the new
// name is another key. Unlike Redis, a walk meets no key twice.

const (
	cursorShardBits = 8
	cursorShardMask = engine.MaxShards - 1

	defaultScanCount = 10
)

// ScanOptions filter a Scan.
type ScanOptions struct {
	Match []byte // pattern; nil: all keys
	Count int    // about how many keys to visit; 0: 10
	Type  string // name of a type, any case; "": all. An unknown name matches nothing
}

// Scan visits some keys from a cursor on and returns the cursor for the next
// call, 0 at the end; a walk begins at 0. Any cursor value is safe. A key that
// exists from the beginning of a walk to its end is visited exactly once,
// whatever else happens. key is valid during fn. fn must not use the transaction.
func (k Keyspace) Scan(cursor uint64, o ScanOptions, fn func(key []byte)) (next uint64) {
	tx := k.tx
	shard, slot := int(cursor&cursorShardMask), cursor>>cursorShardBits
	if slot > math.MaxUint32 {
		return 0
	}
	from := uint32(slot)
	left := o.Count
	if left <= 0 {
		left = defaultScanCount
	}
	for ; shard < tx.s.eng.Shards(); shard++ {
		end := true
		tx.eng.WithShard(shard, func() {
			from, end = tx.eng.Scan(keySpace(tx.db), shard, from, func(key []byte, h engine.Head) bool {
				left--
				if o.matches(key, &h) && tx.lives(key, &h) {
					fn(key)
				}
				return left > 0
			})
		})
		if !end {
			return uint64(from)<<cursorShardBits | uint64(shard)
		}
		from = 0
		if left <= 0 && shard+1 < tx.s.eng.Shards() {
			return uint64(shard + 1)
		}
	}
	return 0
}

func (o *ScanOptions) matches(key []byte, h *engine.Head) bool {
	if o.Type != "" && !strings.EqualFold(o.Type, typeName(h.Tag)) {
		return false
	}
	return o.Match == nil || matchesAll(o.Match) || Match(o.Match, key)
}

// matchesAll reports whether a pattern is the one that Redis takes for no
// pattern at all: it matches the empty key too.
func matchesAll(pattern []byte) bool { return len(pattern) == 1 && pattern[0] == '*' }

// lives reports whether the key of a head met in a walk has not expired. One that
// has is removed when the transaction has ended: nothing may change during a walk.
func (tx *Tx) lives(key []byte, h *engine.Head) bool {
	if !tx.isExpired(h) {
		return !hasFieldTTL(h.Tag) || !tx.allFieldsExpired(tx.db, key, h)
	}
	tx.noteLate(tx.db, key)
	return false
}

// Keys calls fn for every key that matches a pattern (see Match), until fn returns
// false. Keys that begin with the literal beginning of the pattern are visited,
// no others. key is valid during fn. fn must not use the transaction.
func (k Keyspace) Keys(pattern []byte, fn func(key []byte) bool) {
	tx := k.tx
	prefix, whole := literalPrefix(pattern)
	first, last := 0, tx.s.eng.Shards()-1
	if _, tagged := hashTag(prefix); tagged || whole {
		first = tx.s.eng.ShardOf(prefix)
		last = first
	}
	all := matchesAll(pattern)
	more := true
	visit := func(key []byte, h engine.Head) bool {
		if whole && !bytes.Equal(key, prefix) {
			return false // the keys are in order and the only one was first
		}
		if (all || whole || Match(pattern, key)) && tx.lives(key, &h) {
			more = fn(key)
		}
		return more
	}
	for shard := first; shard <= last && more; shard++ {
		tx.eng.WithShard(shard, func() { tx.eng.AscendPrefix(keySpace(tx.db), shard, prefix, visit) })
	}
}

// randomTries is how often Random picks again when the key has expired.
const randomTries = 100

// Random appends a random key of the database to dst, each with the same chance
// if nobody writes meanwhile. ok is false if there is none.
func (k Keyspace) Random(dst []byte) (key []byte, ok bool) {
	tx := k.tx
	lens := make([]int, tx.s.eng.Shards())
	for range randomTries {
		total := 0
		for i := range lens {
			tx.eng.WithShard(i, func() { lens[i] = tx.eng.ShardLen(keySpace(tx.db), i) })
			total += lens[i]
		}
		if total == 0 {
			return dst, false
		}
		shard, n := 0, rand.IntN(total)
		for n >= lens[shard] {
			n -= lens[shard]
			shard++
		}
		if key, ok = tx.randomOf(dst, shard); ok {
			return key, true
		}
	}
	return dst, false
}

func (tx *Tx) randomOf(dst []byte, shard int) (key []byte, ok bool) {
	tx.eng.WithShard(shard, func() {
		found, h, exists := tx.eng.Random(keySpace(tx.db), shard, rand.Uint32N)
		if exists && tx.lives(found, &h) {
			dst, ok = append(dst, found...), true
		}
	})
	return dst, ok
}
