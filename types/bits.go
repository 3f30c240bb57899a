package types

import (
	"encoding/binary"
	"math/bits"
)

// Bit 0 of a string is the highest bit of its first byte. Behind its end a
// string has zeros without end.

// SetBit sets or clears one bit and returns what it was. The string grows as
// needed. REQUIRES: offset >= 0, offset/8 < MaxValueBytes.
func (s String) SetBit(key []byte, offset int64, on bool) (was bool, err error) {
	tx := s.tx
	at, mask := int(offset>>3), byte(0x80)>>(offset&7)
	w, err := tx.windowFor(key, at+1)
	if err != nil {
		return false, err
	}
	var b [1]byte
	if err := w.read(b[:], at); err != nil {
		return false, tx.fail(err)
	}
	was = b[0]&mask != 0
	if was != on {
		b[0] ^= mask
		if err := w.write(b[:], at); err != nil {
			return false, tx.fail(err)
		}
	}
	if err := w.finish(); err != nil {
		return false, tx.fail(err)
	}
	tx.notifyNew(tx.db, key, w.existed)
	if w.grown || was != on {
		tx.signalModified(tx.db, key, EventString, "setbit")
	}
	return was, nil
}

// GetBit returns one bit. REQUIRES: offset >= 0.
func (s String) GetBit(key []byte, offset int64) (on bool, err error) {
	v, ok, err := s.Get(key)
	at := int(offset >> 3)
	if err != nil || !ok || at >= v.Len() {
		return false, err
	}
	b := v.Slice(at, at+1)
	buf, err := b.AppendTo(s.tx.scratch[:0])
	s.tx.scratch = buf
	return err == nil && buf[0]&(0x80>>(offset&7)) != 0, err
}

// BitRange is a part of a string as BITCOUNT and BITPOS take it: both ends are
// included, negative ones count from the end of the string.
type BitRange struct {
	Start, End int64
	InBits     bool // the unit is the bit, not the byte
}

// within returns the range as bits from..to of a string of n bytes, to not
// included. It is empty if from >= to.
func (r BitRange) within(n int) (from, to int64) {
	total, unit := int64(n), int64(8)
	if r.InBits {
		total, unit = 8*total, 1
	}
	start, end := r.Start, r.End
	if start < 0 {
		start = max(start+total, 0)
	}
	if end < 0 {
		end = max(end+total, 0)
	}
	end = min(end, total-1)
	if start > end {
		return 0, 0
	}
	return start * unit, (end + 1) * unit
}

// Empty reports whether nothing of a string of n bytes is in the range.
func (r BitRange) Empty(n int) bool {
	from, to := r.within(n)
	return from >= to
}

// pieces calls fn with the bytes from..to of the string in order, a piece of at
// most a chunk at a time, until fn returns false. A piece that is nil is zeros. at
// is its offset in the string and n its length. fn must not use the transaction.
func (v *Value) pieces(from, to int, fn func(at, n int, piece []byte) bool) error {
	tx, c := v.tx, v.head.Collection()
	for from < to {
		end := to
		if c != nil {
			end = min(to, (from/chunkBytes+1)*chunkBytes)
		}
		piece, err := v.piece(tx.scratch[:0], from, end)
		if err != nil {
			return err
		}
		if piece != nil {
			tx.scratch = piece[:0]
		}
		if !fn(from, end-from, piece) {
			return nil
		}
		from = end
	}
	return nil
}

// piece appends the bytes from..to, which are of one chunk, to dst; nil stands
// for nothing but zeros.
func (v *Value) piece(dst []byte, from, to int) ([]byte, error) {
	c := v.head.Collection()
	if c == nil {
		part := v.Slice(from, to)
		return part.AppendTo(dst)
	}
	n := from / chunkBytes
	first, last := from-n*chunkBytes, to-n*chunkBytes
	e, err := v.tx.chunkOf(c, n, last)
	if err != nil || e.Size == 0 {
		return nil, err
	}
	return v.tx.appendPart(dst, &e, first, last)
}

// BitCount returns the number of bits that are 1 in a part of the string.
func (v *Value) BitCount(r BitRange) (count int64, err error) {
	if r.Start < 0 && r.End < 0 && r.Start > r.End {
		return 0, nil
	}
	from, to := r.within(v.Len())
	if from >= to {
		return 0, nil
	}
	first, last := int(from>>3), int((to-1)>>3)
	err = v.pieces(first, last+1, func(at, n int, piece []byte) bool {
		if piece == nil {
			return true
		}
		if at == first {
			piece[0] &= 0xff >> (from & 7)
		}
		if at+n == last+1 {
			piece[n-1] &= 0xff << (7 - (to-1)&7)
		}
		count += onesCount(piece)
		return true
	})
	return count, err
}

// onesCount counts the bits that are 1.
func onesCount(b []byte) int64 {
	n := 0
	for ; len(b) >= 32; b = b[32:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b)) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[8:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[16:])) +
			bits.OnesCount64(binary.LittleEndian.Uint64(b[24:]))
	}
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return int64(n)
}

// BitPos returns the position of the first bit in a part of the string that is 1,
// or that is 0; -1 if there is none.
func (v *Value) BitPos(bit bool, r BitRange) (pos int64, err error) {
	from, to := r.within(v.Len())
	if from >= to {
		return -1, nil
	}
	pos = -1
	var flip byte // makes the bit that is looked for a 1
	if !bit {
		flip = 0xff
	}
	first := int(from >> 3)
	err = v.pieces(first, int((to-1)>>3)+1, func(at, n int, piece []byte) bool {
		if piece == nil {
			if !bit {
				pos = max(int64(at)*8, from)
			}
			return bit
		}
		var skip byte // bits before the range
		if at == first {
			skip = ^(byte(0xff) >> (from & 7))
		}
		if i := firstOne(piece, flip, skip); i >= 0 {
			pos = int64(at)*8 + int64(i)
		}
		return pos < 0
	})
	if pos >= to {
		pos = -1
	}
	return pos, err
}

// firstOne returns the position of the first bit of b that is 1 after every byte
// was XORed with flip, and skip taken out of the first one; -1 if there is none.
func firstOne(b []byte, flip, skip byte) int {
	if c := (b[0] ^ flip) &^ skip; c != 0 {
		return bits.LeadingZeros8(c)
	}
	flip8 := uint64(flip) * 0x0101010101010101
	at := 1
	for ; len(b)-at >= 8; at += 8 {
		if u := binary.BigEndian.Uint64(b[at:]) ^ flip8; u != 0 {
			return at*8 + bits.LeadingZeros64(u)
		}
	}
	for ; at < len(b); at++ {
		if c := b[at] ^ flip; c != 0 {
			return at*8 + bits.LeadingZeros8(c)
		}
	}
	return -1
}
