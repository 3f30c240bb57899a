package types

import (
	"math/big"
	"strconv"
)

// Hash is the Hash commands over a transaction. Those that change a key need a
// transaction for writing.
type Hash struct{ tx *Tx }

// Hash returns the Hash commands over this transaction. It begins a command:
// what those before it returned is not valid any more.
func (tx *Tx) Hash() Hash {
	tx.beginCommand()
	return Hash{tx}
}

// Fields is a hash found for reading. It is valid until the transaction writes
// its key or another command begins. The Fields of a key that does not exist is
// empty.
type Fields struct{ c coll }

// Find looks a hash up for reading.
func (h Hash) Find(key []byte) (Fields, error) {
	c, err := h.tx.openRead(key, tagHash)
	return Fields{c}, err
}

// Len is HLEN.
func (f *Fields) Len() int { return f.c.len() }

// Get returns the value of a field (HGET, HMGET, HEXISTS, HSTRLEN).
func (f *Fields) Get(field []byte) (v Item, ok bool) { return f.c.get(field) }

// Each calls fn for every field and its value (HGETALL, HKEYS, HVALS) until it
// returns an error, which Each returns. Neither is valid after fn.
func (f *Fields) Each(fn func(field []byte, v *Item) error) error { return f.c.each(fn) }

// Scan is HSCAN: see coll.scan. fn is as that of Each.
func (f *Fields) Scan(cursor uint64, o ScanOptions, fn func(field []byte, v *Item) error) (next uint64, err error) {
	return f.c.scan(cursor, o, fn)
}

// Random calls fn for n different fields chosen at random, all there are if there
// are fewer; repeated makes it n fields each of which may be any (HRANDFIELD). fn
// is as that of Each.
func (f *Fields) Random(n int, repeated bool, fn func(field []byte, v *Item) error) error {
	return f.c.random(n, repeated, fn)
}

// Set sets fields to values (HSET, HMSET) and returns how many are new.
// REQUIRES: an even number of pairs.
func (h Hash) Set(key []byte, pairs [][]byte) (added int64, err error) {
	c, err := h.tx.openWrite(key, tagHash)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(pairs); i += 2 {
		isNew, err := c.setField(pairs[i], pairs[i+1], false)
		if err != nil {
			return 0, err
		}
		if isNew {
			added++
		}
	}
	return added, c.finish(int64(len(pairs)/2), "hset")
}

// setField is put that says when Redis would convert the hash. The field loses
// its expiry, unless keepTTL.
func (c *coll) setField(field, value []byte, keepTTL bool) (isNew bool, err error) {
	l := c.tx.s.limits.Load()
	expired := c.fieldExpired(field)
	if !keepTTL || expired {
		c.forgetFieldTTL(field)
	}
	if max(int64(len(field)), int64(len(value))) > l.HashValue {
		c.tag |= tagConverted
	}
	isNew, err = c.put(field, value)
	if int64(c.len()) > l.HashEntries {
		c.tag |= tagConverted
	}
	return isNew || expired, err
}

// SetNX sets a field that does not exist (HSETNX). It reports whether it did.
func (h Hash) SetNX(key, field, value []byte) (done bool, err error) {
	c, err := h.tx.openWrite(key, tagHash)
	if err != nil {
		return false, err
	}
	if _, ok := c.get(field); ok {
		return false, nil
	}
	if _, err := c.setField(field, value, false); err != nil {
		return false, err
	}
	return true, c.finish(1, "hset")
}

// Del removes fields (HDEL) and returns how many there were. A hash without
// fields is deleted.
func (h Hash) Del(key []byte, fields [][]byte) (removed int64, err error) {
	c, err := h.tx.openWrite(key, tagHash)
	if err != nil {
		return 0, err
	}
	for _, field := range fields {
		if c.remove(field) {
			removed++
		}
	}
	return removed, c.finish(removed, "hdel")
}

// IncrBy adds to the integer in a field; a missing field is 0 (HINCRBY). A value
// that is none is ErrHashNotInteger.
func (h Hash) IncrBy(key, field []byte, delta int64) (sum int64, err error) {
	tx := h.tx
	c, err := tx.openWrite(key, tagHash)
	if err != nil {
		return 0, err
	}
	var old int64
	if v, ok := c.get(field); ok {
		if old, err = tx.intOfItem(&v); err != nil {
			return 0, err
		}
	}
	sum, fits := addInt(old, delta)
	if !fits {
		return 0, ErrOverflow
	}
	tx.scratch = strconv.AppendInt(tx.scratch[:0], sum, 10)
	if _, err := c.setField(field, tx.scratch, true); err != nil {
		return 0, err
	}
	return sum, c.finish(1, "hincrby")
}

func (tx *Tx) intOfItem(v *Item) (int64, error) {
	if v.Len() > maxIntLen {
		return 0, ErrHashNotInteger
	}
	var err error
	if tx.scratch, err = v.AppendTo(tx.scratch[:0]); err != nil {
		return 0, err
	}
	n, ok := ParseInt(tx.scratch)
	if !ok {
		return 0, ErrHashNotInteger
	}
	return n, nil
}

// IncrByFloat adds to the float in a field (HINCRBYFLOAT), as String.IncrByFloat
// does, and appends the sum to dst. A value that is none is ErrHashNotFloat.
func (h Hash) IncrByFloat(dst, key, field, incr []byte) ([]byte, error) {
	tx := h.tx
	delta, ok := parseLongDouble(incr)
	if !ok {
		return dst, ErrNotFloat
	}
	if delta.IsInf() {
		return dst, ErrInfinite
	}
	c, err := tx.openWrite(key, tagHash)
	if err != nil {
		return dst, err
	}
	sum := new(big.Float).SetPrec(longDoubleBits)
	if v, ok := c.get(field); ok {
		if sum, err = tx.floatOfItem(&v); err != nil {
			return dst, err
		}
	}
	if sum.IsInf() {
		return dst, ErrNaN
	}
	if sum.Add(sum, delta); sum.MantExp(nil) > longDoubleMaxExp {
		return dst, ErrNaN
	}
	tx.scratch = appendLongDouble(tx.scratch[:0], sum)
	if _, err := c.setField(field, tx.scratch, true); err != nil {
		return dst, err
	}
	if err := c.finish(1, "hincrbyfloat"); err != nil {
		return dst, err
	}
	return append(dst, tx.scratch...), nil
}

func (tx *Tx) floatOfItem(v *Item) (*big.Float, error) {
	if v.Len() > maxFloatLen {
		return nil, ErrHashNotFloat
	}
	var err error
	if tx.scratch, err = v.AppendTo(tx.scratch[:0]); err != nil {
		return nil, err
	}
	x, ok := parseLongDouble(tx.scratch)
	if !ok {
		return nil, ErrHashNotFloat
	}
	return x, nil
}
