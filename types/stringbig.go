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
// Every chunk of the string is there, and is as long as the string reaches in it, or
// empty: that stands for zeros, so that SETRANGE far behind the end costs little. One
// that is missing or too short was lost with damage, which repair cannot undo, and is
// an error: no zeros are made up for it. The 8 bytes are kept in the keydir, so a length
// never needs the disk.

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

// chunkLen returns how many bytes of a string of length bytes are in chunk n.
func chunkLen(n, length int) int { return min(max(length-n*chunkBytes, 0), chunkBytes) }

// chunkOf finds chunk n, of which the first need bytes are wanted.
func (tx *Tx) chunkOf(c *engine.Collection, n, need int) (engine.Element, error) {
	key := chunkKey(n)
	e, ok := tx.eng.GetElement(c, key[:])
	if !ok || e.Size > 0 && e.Size < need {
		return e, corruptString("a part that is lost, number", n)
	}
	return e, nil
}

// appendChunk appends the bytes first..last of one chunk to dst.
func (tx *Tx) appendChunk(dst []byte, c *engine.Collection, n, first, last int) ([]byte, error) {
	if first == last {
		return dst, nil
	}
	e, err := tx.chunkOf(c, n, last)
	if err != nil {
		return dst, err
	}
	if e.Size == 0 {
		return pad(dst, len(dst)+last-first), nil
	}
	return tx.appendPart(dst, &e, first, last)
}

// appendPart appends the bytes first..last of a chunk that is not empty to dst.
func (tx *Tx) appendPart(dst []byte, e *engine.Element, first, last int) ([]byte, error) {
	base := len(dst)
	dst, err := tx.eng.AppendElementValue(dst, e)
	if err != nil {
		return dst, err
	}
	return keepPart(dst, base, first, last), nil
}

// writeChunks writes value at an offset of a chunked string of length bytes, or behind
// its end. It does not change the length in the head.
func (tx *Tx) writeChunks(c *engine.Collection, length, offset int, value []byte) error {
	if err := tx.extend(c, length, offset); err != nil {
		return err
	}
	length = max(length, offset)
	newLen := max(length, offset+len(value))
	for len(value) > 0 {
		n := offset / chunkBytes
		first := offset - n*chunkBytes
		size := min(len(value), chunkBytes-first)
		if err := tx.writeChunk(c, n, length, newLen, first, value[:size]); err != nil {
			return err
		}
		offset += size
		value = value[size:]
	}
	return nil
}

// writeChunk writes part of one chunk of a string that had length bytes and will have
// newLen.
func (tx *Tx) writeChunk(c *engine.Collection, n, length, newLen, first int, part []byte) error {
	if has := chunkLen(n, newLen); len(part) < has {
		buf, err := tx.appendChunk(tx.scratch[:0], c, n, 0, chunkLen(n, length))
		if err != nil {
			return err
		}
		buf = pad(buf, has)
		copy(buf[first:], part)
		tx.scratch, part = buf, buf
	}
	key := chunkKey(n)
	_, err := tx.eng.PutElement(c, key[:], part)
	return err
}

// extend makes a chunked string of length bytes one of newLen, if that is more, with
// zeros behind what there is. It does not change the length in the head.
func (tx *Tx) extend(c *engine.Collection, length, newLen int) error {
	if rest := length % chunkBytes; rest > 0 && newLen > length {
		if err := tx.writeChunk(c, length/chunkBytes, length, newLen, rest, nil); err != nil {
			return err
		}
		length += chunkBytes - rest
	}
	for ; length < newLen; length += chunkBytes {
		key := chunkKey(length / chunkBytes)
		if _, err := tx.eng.PutElement(c, key[:], nil); err != nil {
			return err
		}
	}
	return nil
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
	if err := tx.writeChunks(c, v.Len(), offset, value); err != nil {
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
		e, err := tx.chunkOf(from, n, chunkLen(n, length))
		if err != nil {
			return err
		}
		buf, err := tx.eng.AppendElementValue(tx.scratch[:0], &e)
		tx.scratch = buf
		if err != nil {
			return err
		}
		key := chunkKey(n)
		if _, err := tx.eng.PutElement(c, key[:], buf); err != nil {
			return err
		}
	}
	return tx.putBig(toDB, to, m, c, length)
}
