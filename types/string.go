package types

import (
	"fmt"

	"bitkv/engine"
)

// A string of up to maxHeadBytes is the value of its head; a longer one is a
// collection of chunks (stringbig.go). Whatever is overwritten as a whole takes
// the form for its size; a string that grew chunks in place keeps them.

const maxHeadBytes = chunkBytes

// Marks in the tag of a string beside its type: what OBJECT tells of its past.
// They are on disk and never change.
const (
	tagRaw  = 0x10 // changed in place: "raw" whatever the length
	tagText = 0x20 // a result of INCRBYFLOAT: never "int"
	tagCopy = 0x40 // made by COPY: Redis does not share it, small integer or not
)

// String is the String commands over a transaction. Those that change a key
// need a transaction for writing. Get and GetRange return a Value, which is read
// (AppendTo) before the transaction writes that key or ends. So SET GET, GETSET,
// GETDEL and GETEX are Get, the reply, and then Set, Keyspace.Del or Reexpire.
type String struct{ tx *Tx }

// Value is a string, or a part of one, that was found and not yet read. The zero
// Value is empty.
type Value struct {
	tx       *Tx
	head     engine.Head
	from, to int // the part of it
}

// Len is the length in bytes; no disk is read for it.
func (v *Value) Len() int { return v.to - v.from }

// AppendTo appends the bytes to dst. It may read the disk.
func (v *Value) AppendTo(dst []byte) ([]byte, error) {
	if v.from == v.to {
		return dst, nil
	}
	if c := v.head.Collection(); c != nil {
		return v.tx.appendChunks(dst, c, v.from, v.to)
	}
	base := len(dst)
	dst, err := v.tx.eng.AppendValue(dst, &v.head)
	if err != nil {
		return dst[:base], err
	}
	return keepPart(dst, base, v.from, v.to), nil
}

// keepPart cuts what was appended at base down to its bytes from..to.
func keepPart(dst []byte, base, from, to int) []byte {
	if from > 0 {
		copy(dst[base:], dst[base+from:base+to])
	}
	return dst[:base+to-from]
}

// Slice returns the part of the value from byte from to byte to, which is not
// included. REQUIRES: 0 <= from <= to <= Len.
func (v *Value) Slice(from, to int) Value {
	part := *v
	part.from, part.to = v.from+from, v.from+to
	return part
}

// valueOf checks that a head is that of a string and returns all of it.
func (tx *Tx) valueOf(h *engine.Head) (Value, error) {
	n, err := tx.lenOf(h)
	if err != nil {
		return Value{}, err
	}
	return Value{tx: tx, head: *h, to: n}, nil
}

// lenOf checks that a head is that of a string and returns its length.
func (tx *Tx) lenOf(h *engine.Head) (int, error) {
	switch {
	case h.Tag&tagTypeMask != tagString:
		return 0, ErrWrongType
	case h.Collection() != nil:
		return tx.bigLen(h)
	}
	return h.Size, nil
}

// SetOptions say how Set writes. The zero value is a plain SET.
type SetOptions struct {
	// ExpireMs is the absolute expiry in Unix milliseconds; 0 means none. It
	// comes from Tx.PositiveExpireMs.
	ExpireMs int64
	// KeepTTL keeps the expiry that the key has.
	KeepTTL bool
	// NX sets only a key that does not exist, XX only one that does.
	NX, XX bool
}

// Get returns the value of a key (GET, MGET, and first half of GETSET, GETDEL,
// SET GET). ok is false if there is none.
func (s String) Get(key []byte) (v Value, ok bool, err error) {
	ok, err = s.Find(key, &v)
	return v, ok, err
}

// Find is Get into v, which is what it costs less for: a Value is large.
func (s String) Find(key []byte, v *Value) (ok bool, err error) {
	v.from, v.to = 0, 0
	if !s.tx.readInto(key, withTouch, &v.head) {
		return false, nil
	}
	v.tx = s.tx
	v.to, err = s.tx.lenOf(&v.head)
	return err == nil, err
}

// Reexpire is the second half of GETEX, after Get and the reply: it changes the
// expiry of a key to expireMs, or removes it if persist. A time that has come
// deletes the key. A key that does not exist stays so.
func (s String) Reexpire(key []byte, expireMs int64, persist bool) {
	if persist {
		s.tx.Keyspace().Persist(key)
		return
	}
	s.tx.Keyspace().Expire(key, expireMs, 0)
}

// Set writes a key whatever type it had. done is false if NX or XX forbade it.
func (s String) Set(key, value []byte, o SetOptions) (done bool, err error) {
	tx := s.tx
	if err := tx.checkLen(0, len(value)); err != nil {
		return false, err
	}
	var h engine.Head
	ok := tx.forWriteInto(tx.db, key, &h)
	if o.NX && ok || o.XX && !ok {
		return false, nil
	}
	expireMs := o.ExpireMs
	if o.KeepTTL && ok {
		expireMs = h.ExpireMs
	}
	if err := tx.overwrite(key, value, tx.putMeta(tagString, expireMs, &h, ok), &h, ok); err != nil {
		return false, err
	}
	tx.signalModified(tx.db, key, EventString, "set")
	if o.ExpireMs != 0 {
		tx.notify(tx.db, key, EventGeneric, "expire")
	}
	return true, nil
}

// overwrite writes a string as a whole, in the form for its size, over what the
// key was.
func (tx *Tx) overwrite(key, value []byte, m engine.Meta, old *engine.Head, existed bool) error {
	tx.noteOverwritten(tx.db, key, old, existed)
	if err := tx.putString(tx.db, key, value, m); err != nil {
		return tx.fail(err)
	}
	tx.notifyNew(tx.db, key, existed)
	return nil
}

func (tx *Tx) putString(db int, key, value []byte, m engine.Meta) error {
	if len(value) <= maxHeadBytes {
		return tx.eng.Put(keySpace(db), key, m, value)
	}
	c := tx.eng.NewCollection(engine.OrderBytes)
	if err := tx.writeChunks(c, 0, 0, value); err != nil {
		return err
	}
	return tx.putBig(db, key, m, c, len(value))
}

// MSet sets pairs of key and value. REQUIRES: an even number of them.
func (s String) MSet(pairs [][]byte) error {
	for i := 1; i < len(pairs); i += 2 {
		if err := s.tx.checkLen(0, len(pairs[i])); err != nil {
			return err
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, err := s.Set(pairs[i], pairs[i+1], SetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// MSetNX is MSet that does nothing, and returns false, if any key exists.
func (s String) MSetNX(pairs [][]byte) (done bool, err error) {
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := s.tx.forWrite(s.tx.db, pairs[i]); ok {
			return false, nil
		}
	}
	return true, s.MSet(pairs)
}

// Len is STRLEN: 0 for a key that does not exist. It reads memory only.
func (s String) Len(key []byte) (int64, error) {
	v, _, err := s.Get(key)
	return int64(v.Len()), err
}

// GetRange returns the part of a string between two indexes as GETRANGE and
// SUBSTR take them: negative ones count from the end, both are included.
func (s String) GetRange(key []byte, start, end int64) (Value, error) {
	v, ok, err := s.Get(key)
	if err != nil || !ok {
		return Value{}, err
	}
	from, to := rangeOf(int64(v.Len()), start, end)
	return v.Slice(from, to), nil
}

// rangeOf turns the two indexes of GETRANGE into a half-open range of n bytes.
func rangeOf(n, start, end int64) (from, to int) {
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end = max(end+n, 0)
	}
	end = min(end, n-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end) + 1
}

// Append adds to the end of a string, or makes it, and returns its new length.
func (s String) Append(key, value []byte) (newLen int64, err error) {
	tx := s.tx
	h, ok := tx.forWrite(tx.db, key)
	if !ok {
		if err := tx.checkLen(0, len(value)); err != nil {
			return 0, err
		}
		m := tx.putMeta(tagString, 0, &h, false)
		if err := tx.overwrite(key, value, m, &h, false); err != nil {
			return 0, err
		}
	} else {
		v, err := tx.valueOf(&h)
		if err != nil {
			return 0, err
		}
		if err := tx.checkLen(int64(v.Len()), len(value)); err != nil {
			return 0, err
		}
		newLen = int64(v.Len())
		if err := tx.patch(key, &v, v.Len(), value); err != nil {
			return 0, tx.fail(err)
		}
	}
	tx.signalModified(tx.db, key, EventString, "append")
	return newLen + int64(len(value)), nil
}

// SetRange overwrites part of a string, padded with zero bytes up to offset, and
// returns its new length. A negative offset is ErrOffset.
func (s String) SetRange(key []byte, offset int64, value []byte) (newLen int64, err error) {
	tx := s.tx
	if offset < 0 {
		return 0, ErrOffset
	}
	h, ok := tx.forWrite(tx.db, key)
	var v Value
	if ok {
		if v, err = tx.valueOf(&h); err != nil {
			return 0, err
		}
	}
	if len(value) == 0 {
		return int64(v.Len()), nil
	}
	if err := tx.checkLen(offset, len(value)); err != nil {
		return 0, err
	}
	v.tx = tx
	if err := tx.patch(key, &v, int(offset), value); err != nil {
		return 0, tx.fail(err)
	}
	tx.notifyNew(tx.db, key, ok)
	tx.signalModified(tx.db, key, EventString, "setrange")
	return max(int64(v.Len()), offset+int64(len(value))), nil
}

// checkLen refuses a string that would have n bytes and more bytes after them,
// if that is too many.
func (tx *Tx) checkLen(n int64, more int) error {
	if limit := tx.s.MaxValueBytes(); n > limit || int64(more) > limit-n {
		return ErrTooLong
	}
	return nil
}

// patch writes value at an offset into a string, which is v (with no head: a new
// one), in place.
func (tx *Tx) patch(key []byte, v *Value, offset int, value []byte) error {
	existed := v.head.Tag != 0
	m := tx.putMeta(tagString|tagRaw, v.head.ExpireMs, &v.head, existed)
	newLen := max(v.Len(), offset+len(value))
	if c := v.head.Collection(); c != nil {
		if err := tx.writeChunks(c, v.Len(), offset, value); err != nil {
			return err
		}
		return tx.putBig(tx.db, key, m, c, newLen)
	}
	if newLen > maxHeadBytes {
		return tx.growBig(key, v, offset, value, m)
	}
	buf, err := v.AppendTo(tx.scratch[:0])
	if err != nil {
		return err
	}
	buf = pad(buf, newLen)
	copy(buf[offset:], value)
	tx.scratch = buf
	return tx.eng.Put(keySpace(tx.db), key, m, buf)
}

// pad appends zeros up to n bytes.
func pad(b []byte, n int) []byte {
	if n <= len(b) {
		return b
	}
	return append(b, make([]byte, n-len(b))...)
}

// corruptString says that the records of a string cannot be those of one, though
// their checksums are right.
func corruptString(what string, n int) error {
	return fmt.Errorf("types: string with %s %d: %w", what, n, engine.ErrCorrupt)
}
