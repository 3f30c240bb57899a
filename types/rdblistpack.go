package types

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// rdbItems are the items of one of Redis's compact encodings, one after the other.
type rdbItems interface {
	// next returns the next item, valid until next was called three more
	// times. ok is false after the last one.
	next() (item []byte, ok bool, err error)
}

// itemTexts is room for the integers among the items, as text.
type itemTexts struct {
	texts [4][24]byte
	n     int
}

func (t *itemTexts) ofInt(n int64) []byte {
	t.n = (t.n + 1) % len(t.texts)
	return strconv.AppendInt(t.texts[t.n][:0], n, 10)
}

// A listpack:
//
//	length   4 bytes, little-endian: of all of it
//	count    2 bytes, little-endian; 65535: not known
//	entries  head, data, and the length of those two again, to be read backwards
//	end      0xff
//
// The head of an entry says what the data is:
//
//	0nnnnnnn           the integer n
//	10nnnnnn           n bytes
//	110nnnnn nnnnnnnn  the signed integer n of 13 bits
//	1110nnnn nnnnnnnn  n bytes
//	11110000           n bytes, n is the next 4 bytes, little-endian
//	111100ss           signed integer, little-endian, of 2, 3, 4 bytes (ss 1 to 3)
//	11110100           the same of 8 bytes
//
// The backward length has 7 bits a byte, the lowest in the last byte, and the high
// bit set in all but the first.
type listpack struct {
	itemTexts
	entries []byte // what is left, without the end
	left    int    // entries left by the count, -1: not known
}

const (
	listpackHeader  = 6
	listpackUnknown = 0xffff
)

// newListpack checks the frame of a listpack.
func newListpack(b []byte) (*listpack, error) {
	if len(b) < listpackHeader+1 || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != 0xff {
		return nil, badDump("listpack of %d bytes", len(b))
	}
	p := &listpack{entries: b[listpackHeader : len(b)-1], left: int(binary.LittleEndian.Uint16(b[4:]))}
	if p.left == listpackUnknown {
		p.left = -1
	}
	return p, nil
}

func (p *listpack) next() (item []byte, ok bool, err error) {
	if len(p.entries) == 0 {
		if p.left > 0 {
			return nil, false, badDump("listpack with %d entries too few", p.left)
		}
		return nil, false, nil
	}
	if p.left == 0 {
		return nil, false, badDump("listpack with more entries than it says")
	}
	if p.left > 0 {
		p.left--
	}
	item, size, ok := p.entry()
	if !ok {
		return nil, false, badDump("listpack entry %#x", p.entries[0])
	}
	back := backwardBytes(size)
	if len(p.entries)-size < back || !isBackward(p.entries[size:size+back], size) {
		return nil, false, badDump("listpack entry of %d bytes", size)
	}
	p.entries = p.entries[size+back:]
	return item, true, nil
}

// entry decodes the first entry: size is that of head and data.
func (p *listpack) entry() (item []byte, size int, ok bool) {
	b := p.entries
	head := b[0]
	switch {
	case head < 0x80:
		return p.ofInt(int64(head)), 1, true
	case head < 0xc0:
		return sized(b, 1, uint64(head&0x3f))
	case head < 0xe0:
		if len(b) < 2 {
			return nil, 0, false
		}
		n := int64(head&0x1f)<<8 | int64(b[1])
		return p.ofInt(n << 51 >> 51), 2, true
	case head < 0xf0:
		if len(b) < 2 {
			return nil, 0, false
		}
		return sized(b, 2, uint64(head&0x0f)<<8|uint64(b[1]))
	case head == 0xf0:
		if len(b) < 5 {
			return nil, 0, false
		}
		return sized(b, 5, uint64(binary.LittleEndian.Uint32(b[1:])))
	case head <= 0xf4:
		n := int(head-0xf1) + 2
		if head == 0xf4 {
			n = 8
		}
		if len(b) < 1+n {
			return nil, 0, false
		}
		return p.ofInt(littleInt(b[1 : 1+n])), 1 + n, true
	}
	return nil, 0, false
}

// sized returns n bytes that stand behind a head.
func sized(b []byte, head int, n uint64) (item []byte, size int, ok bool) {
	if n > uint64(len(b)-head) {
		return nil, 0, false
	}
	size = head + int(n)
	return b[head:size:size], size, true
}

// backwardBytes is how long the backward length of an entry is.
func backwardBytes(size int) int {
	n := 1
	for size >= 0x80 {
		size >>= 7
		n++
	}
	return n
}

// isBackward reports whether b is the backward length of size.
func isBackward(b []byte, size int) bool {
	for i, got := range slices.Backward(b) {
		want := byte(size & 0x7f)
		if i > 0 {
			want |= 0x80
		}
		if got != want {
			return false
		}
		size >>= 7
	}
	return true
}
