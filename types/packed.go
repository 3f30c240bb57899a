package types

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"bitkv/engine"
)

// packed is the small form of a collection: all of it in the value of its head.
// Its items stand one after the other,
//
//	item      length (uvarint, at most 5 bytes), bytes
//	packed    item*
//
// A value is valid if and only if items tile it exactly and their number is a
// multiple of the type's stride: 1 for a set's members and a list's elements, 2
// for field and value of a hash, 2 for member and score (8 bytes, scoreBytes) of
// a sorted set. Whether the order of the items means something is the type's
// affair. A place is the offset of an item in buf.
//
// Only parsePacked looks for damage: what it returned is valid, and stays so.
type packed struct {
	buf     []byte
	n       int  // items
	changed bool // by replace
}

// maxItemPrefix is the longest length field.
const maxItemPrefix = binary.MaxVarintLen32

// parsePacked checks the value of a head and returns it as a packed collection,
// which keeps buf. Damage is an ErrCorrupt.
func parsePacked(buf []byte, stride int) (packed, error) {
	n := 0
	for at := 0; at < len(buf); n++ {
		if size := int(buf[at]); size < 0x80 {
			at += 1 + size
			if at > len(buf) {
				return packed{}, corruptPacked("an item behind the end, at", n)
			}
			continue
		}
		size, prefix := binary.Uvarint(buf[at:])
		if prefix <= 0 || prefix > maxItemPrefix || size > uint64(len(buf)-at-prefix) {
			return packed{}, corruptPacked("a length that cannot be, at", n)
		}
		at += prefix + int(size)
	}
	if n == 0 || n%stride != 0 {
		return packed{}, corruptPacked("a number of items that cannot be:", n)
	}
	return packed{buf: buf, n: n}, nil
}

// corruptPacked says that the head of a small collection cannot be one, though
// its checksum was right.
func corruptPacked(what string, n int) error {
	return fmt.Errorf("types: packed collection with %s %d: %w", what, n, engine.ErrCorrupt)
}

// item returns the item at a place, a view that is valid until p changes, and
// the place behind it. REQUIRES: at < len(p.buf).
func (p *packed) item(at int) (item []byte, next int) {
	size, prefix := uint64(p.buf[at]), 1
	if size >= 0x80 {
		size, prefix = binary.Uvarint(p.buf[at:])
	}
	at += prefix
	next = at + int(size)
	return p.buf[at:next:next], next
}

// skip returns the place that is n items behind a place. REQUIRES: there are so many.
func (p *packed) skip(at, n int) int {
	for ; n > 0; n-- {
		_, at = p.item(at)
	}
	return at
}

// find returns the place of the first item equal to want, looking at every
// stride-th item.
func (p *packed) find(want []byte, stride int) (at int, ok bool) {
	for at < len(p.buf) {
		item, next := p.item(at)
		if bytes.Equal(item, want) {
			return at, true
		}
		at = p.skip(next, stride-1)
	}
	return at, false
}

// replace puts items in the place of the n items that begin at a place, which may
// be the end. It returns the place behind them.
func (p *packed) replace(at, n int, items ...[]byte) (next int) {
	end := p.skip(at, n)
	size := 0
	for _, item := range items {
		size += itemBytes(len(item))
	}
	old := len(p.buf)
	if grow := size - (end - at); grow > 0 {
		p.buf = slices.Grow(p.buf, grow)[:old+grow]
	}
	copy(p.buf[at+size:], p.buf[end:old])
	p.buf = p.buf[:old+size-(end-at)]
	for _, item := range items {
		at += binary.PutUvarint(p.buf[at:], uint64(len(item)))
		at += copy(p.buf[at:], item)
	}
	p.n += len(items) - n
	p.changed = true
	return at
}

// itemBytes is what an item of n bytes takes.
func itemBytes(n int) int {
	size := 1 + n
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
