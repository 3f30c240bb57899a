package types

import (
	"encoding/binary"
	"math"
	"slices"

	"bitkv/engine"
)

// A long string is a collection of chunks, so that APPEND and SETRANGE write the
// bytes they change (and their chunk's), not the string. The head's value is its
// length; chunk n holds the bytes from n*chunkBytes on:
//
//	head value   length (8 bytes, big-endian)
//	subkey       chunk number (4 bytes, big-endian; OrderBytes)
//	value        up to chunkBytes bytes
//
// A chunk that is missing, or shorter than the string reaches, reads as zeros
// there: SETRANGE far behind the end costs nothing. The 8 bytes are kept in the
// keydir, so a length never needs the disk.

const (
	chunkBytes  = 16 << 10
	maxBigBytes = math.MaxUint32 * chunkBytes
)

// bigLen returns the length of a chunked string.
func (tx *Tx) bigLen(h *engine.Head) (int, error) {
	buf, err := tx.eng.AppendValue(tx.scratch[:0], h)
	tx.scratch = buf
	if err != nil {
		return 0, err
	}
	if len(buf) != 8 {
		return 0, corruptString("a length field of bytes:", len(buf))
	}
	n := binary.BigEndian.Uint64(buf)
	if n > maxBigBytes {
		return 0, corruptString("the length", int(n&math.MaxInt64))
	}
	return int(n), nil
}

// putBig writes the head of a chunked string.
func (tx *Tx) putBig(db int, key []byte, m engine.Meta, c *engine.Collection, n int) error {
	tx.scratch = binary.BigEndian.AppendUint64(tx.scratch[:0], uint64(n))
	return tx.eng.PutCollection(keySpace(db), key, m, c, tx.scratch)
}

// chunkKey is the subkey of a chunk.
func chunkKey(n int) [4]byte {
	var key [4]byte
	binary.BigEndian.PutUint32(key[:], uint32(n))
	return key
}

// appendChunks appends the bytes from..to of a chunked string to dst.
func (tx *Tx) appendChunks(dst []byte, c *engine.Collection, from, to int) ([]byte, error) {
	begin := len(dst)
	dst = slices.Grow(dst, to-from)
	for from < to {
		n := from / chunkBytes
		first := from - n*chunkBytes
		last := min(to-n*chunkBytes, chunkBytes)
		var err error
		if dst, err = tx.appendChunk(dst, c, n, first, last); err != nil {
			return dst[:begin], err
		}
		from += last - first
	}
	return dst, nil
}

// appendChunk appends the bytes first..last of one chunk to dst, zeros where it
// has none.
func (tx *Tx) appendChunk(dst []byte, c *engine.Collection, n, first, last int) ([]byte, error) {
	base := len(dst)
	key := chunkKey(n)
	if e, ok := tx.eng.GetElement(c, key[:]); ok && e.Size > first {
		var err error
		if dst, err = tx.eng.AppendElementValue(dst, &e); err != nil {
			return dst, err
		}
		dst = keepPart(dst, base, first, min(last, e.Size))
	}
	return pad(dst, base+last-first), nil
}

// writeChunks writes value at an offset of a chunked string. It does not change
// the length in the head.
func (tx *Tx) writeChunks(c *engine.Collection, offset int, value []byte) error {
	for len(value) > 0 {
		n := offset / chunkBytes
		first := offset - n*chunkBytes
		size := min(len(value), chunkBytes-first)
		if err := tx.writeChunk(c, n, first, value[:size]); err != nil {
			return err
		}
		offset += size
		value = value[size:]
	}
	return nil
}

// writeChunk writes part of one chunk.
func (tx *Tx) writeChunk(c *engine.Collection, n, first int, part []byte) error {
	key := chunkKey(n)
	e, ok := tx.eng.GetElement(c, key[:])
	if first > 0 || ok && e.Size > len(part) {
		buf := tx.scratch[:0]
		if ok {
			var err error
			if buf, err = tx.eng.AppendElementValue(buf, &e); err != nil {
				return err
			}
		}
		buf = pad(buf, first+len(part))
		copy(buf[first:], part)
		tx.scratch, part = buf, buf
	}
	_, err := tx.eng.PutElement(c, key[:], part)
	return err
}

// growBig turns a string that is whole in its head, or new, into a chunked one
// while value is written at an offset.
func (tx *Tx) growBig(key []byte, v *Value, offset int, value []byte, m engine.Meta) error {
	c := tx.eng.NewCollection(engine.OrderBytes)
	if v.Len() > 0 {
		buf, err := v.AppendTo(tx.scratch[:0])
		tx.scratch = buf
		if err != nil {
			return err
		}
		first := chunkKey(0)
		if _, err := tx.eng.PutElement(c, first[:], buf); err != nil {
			return err
		}
	}
	if err := tx.writeChunks(c, offset, value); err != nil {
		return err
	}
	return tx.putBig(tx.db, key, m, c, max(v.Len(), offset+len(value)))
}

// copyChunks writes a chunked string to another key, chunk by chunk.
func (tx *Tx) copyChunks(h *engine.Head, toDB int, to []byte, m engine.Meta) error {
	length, err := tx.bigLen(h)
	if err != nil {
		return err
	}
	from, c := h.Collection(), tx.eng.NewCollection(engine.OrderBytes)
	for n := range (length + chunkBytes - 1) / chunkBytes {
		key := chunkKey(n)
		e, ok := tx.eng.GetElement(from, key[:])
		if !ok {
			continue
		}
		buf, err := tx.eng.AppendElementValue(tx.scratch[:0], &e)
		tx.scratch = buf
		if err != nil {
			return err
		}
		if _, err := tx.eng.PutElement(c, key[:], buf); err != nil {
			return err
		}
	}
	return tx.putBig(toDB, to, m, c, length)
}
