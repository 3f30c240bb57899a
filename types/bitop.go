package types

import (
	"encoding/binary"

	"bitkv/engine"
)

// BitOperation is what BITOP does.
type BitOperation uint8

// The operations.
const (
	BitAnd BitOperation = iota
	BitOr
	BitXor
	BitNot
)

// BitOp stores the result of an operation on strings and returns its length,
// which is that of the longest of them; zeros follow the others. An empty result
// deletes the destination, which may be one of the sources. It holds one chunk of
// one source at a time, and what has no chunks (zeros) gets none.
// REQUIRES: one source, if the operation is BitNot.
func (s String) BitOp(op BitOperation, to []byte, from [][]byte) (newLen int64, err error) {
	tx := s.tx
	sources, length := make([]Value, 0, len(from)), 0
	for _, key := range from {
		v, ok, err := s.Get(key)
		if err != nil {
			return 0, err
		}
		if !ok {
			v = Value{tx: tx}
		}
		sources = append(sources, v)
		length = max(length, v.Len())
	}
	if length == 0 {
		tx.Keyspace().Del(to)
		return 0, nil
	}
	old, existed := tx.forWrite(tx.db, to)
	if err := tx.putBitOp(op, to, sources, length, &old, existed); err != nil {
		return 0, tx.fail(err)
	}
	tx.notifyNew(tx.db, to, existed)
	tx.signalModified(tx.db, to, EventString, "set")
	return int64(length), nil
}

// putBitOp writes the result of BitOp, which has length bytes, over what the
// destination was.
func (tx *Tx) putBitOp(op BitOperation, to []byte, sources []Value, length int, old *engine.Head, existed bool) error {
	m := tx.putMeta(tagString|tagRaw, 0, old, existed)
	result := make([]byte, min(length, chunkBytes))
	if length <= maxHeadBytes {
		if _, err := tx.bitOpChunk(op, result, 0, sources); err != nil {
			return err
		}
		tx.noteOverwritten(tx.db, to, old, existed)
		return tx.eng.Put(keySpace(tx.db), to, m, result)
	}
	c := tx.eng.NewCollection(engine.OrderBytes)
	for at := 0; at < length; at += chunkBytes {
		part := result[:min(length-at, chunkBytes)]
		zero, err := tx.bitOpChunk(op, part, at, sources)
		if err != nil {
			return err
		}
		if zero {
			part = nil
		}
		key := chunkKey(at / chunkBytes)
		if _, err := tx.eng.PutElement(c, key[:], part); err != nil {
			return err
		}
	}
	tx.noteOverwritten(tx.db, to, old, existed)
	return tx.putBig(tx.db, to, m, c, length)
}

// bitOpChunk makes the chunk of the result that begins at a byte. zero reports
// that it is nothing but zeros, because the sources have nothing there.
func (tx *Tx) bitOpChunk(op BitOperation, dst []byte, at int, sources []Value) (zero bool, err error) {
	zero = true
	for i := range sources {
		v := &sources[i]
		var piece []byte
		if end := min(v.Len(), at+len(dst)); at < end {
			if piece, err = v.piece(tx.scratch[:0], at, end); err != nil {
				return false, err
			}
			if piece != nil {
				tx.scratch, zero = piece, false
			}
		}
		switch {
		case i == 0:
			clear(dst[copy(dst, piece):])
		case op == BitAnd:
			andBytes(dst, piece)
			clear(dst[len(piece):])
		case op == BitOr:
			orBytes(dst, piece)
		case op == BitXor:
			xorBytes(dst, piece)
		}
	}
	if op == BitNot {
		for i := range dst {
			dst[i] = ^dst[i]
		}
		return false, nil
	}
	return zero, nil
}

// andBytes, orBytes and xorBytes combine src into dst. REQUIRES: dst is not
// shorter.

func andBytes(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(dst)&binary.NativeEndian.Uint64(src))
	}
	for i, c := range src {
		dst[i] &= c
	}
}

func orBytes(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(dst)|binary.NativeEndian.Uint64(src))
	}
	for i, c := range src {
		dst[i] |= c
	}
}

func xorBytes(dst, src []byte) {
	for ; len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.NativeEndian.PutUint64(dst, binary.NativeEndian.Uint64(dst)^binary.NativeEndian.Uint64(src))
	}
	for i, c := range src {
		dst[i] ^= c
	}
}
