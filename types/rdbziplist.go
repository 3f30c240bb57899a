package types

import (
	"encoding/binary"
	"strconv"
)

// The encodings of Redis before 7: ziplist, zipmap, and the intset, which it still
// has.

// A ziplist, all little-endian:
//
//	length   4 bytes: of all of it
//	tail     4 bytes: where the last entry begins
//	count    2 bytes; 65535: not known
//	entries  the length of the entry before (1 byte, or 0xfe and 4 bytes), head, data
//	end      0xff
//
// The head of an entry says what the data is; here numbers are big-endian:
//
//	00nnnnnn             n bytes
//	01nnnnnn nnnnnnnn    n bytes
//	10...... and 4 bytes n bytes
//	11000000 11010000 11100000 11110000 11111110
//	                     a signed integer, little-endian, of 2, 4, 8, 3 or 1 bytes
//	1111nnnn             the integer n-1, n from 1 to 13
type ziplist struct {
	itemTexts
	b      []byte // all of it
	at     int    // of the next entry
	before int    // size of the entry before
	left   int    // entries left by the count, -1: not known
}

const (
	ziplistHeader  = 10
	ziplistUnknown = 0xffff
	ziplistBig     = 0xfe
)

// newZiplist checks the frame of a ziplist.
func newZiplist(b []byte) (*ziplist, error) {
	if len(b) < ziplistHeader+1 || uint64(binary.LittleEndian.Uint32(b)) != uint64(len(b)) || b[len(b)-1] != 0xff {
		return nil, badDump("ziplist of %d bytes", len(b))
	}
	z := &ziplist{b: b, at: ziplistHeader, left: int(binary.LittleEndian.Uint16(b[8:]))}
	if z.left == ziplistUnknown {
		z.left = -1
	}
	return z, nil
}

func (z *ziplist) next() (item []byte, ok bool, err error) {
	b := z.b[z.at : len(z.b)-1]
	tail := uint64(binary.LittleEndian.Uint32(z.b[4:]))
	if len(b) == 0 {
		if z.left > 0 || tail != uint64(z.at-z.before) {
			return nil, false, badDump("ziplist of a wrong count or tail")
		}
		return nil, false, nil
	}
	if z.left == 0 {
		return nil, false, badDump("ziplist with more entries than it says")
	}
	if z.left > 0 {
		z.left--
	}
	before, prefix := uint64(b[0]), 1
	if before == ziplistBig && len(b) >= 5 {
		before, prefix = uint64(binary.LittleEndian.Uint32(b[1:])), 5
	} else if before >= ziplistBig {
		return nil, false, badDump("ziplist entry %#x", b[0])
	}
	if before != uint64(z.before) || prefix >= len(b) {
		return nil, false, badDump("ziplist entry after one of %d bytes", before)
	}
	item, size, ok := z.entry(b[prefix:])
	if !ok {
		return nil, false, badDump("ziplist entry %#x", b[prefix])
	}
	z.before = prefix + size
	z.at += z.before
	return item, true, nil
}

// ziplistInts are how many bytes an integer has, by the head of its entry.
var ziplistInts = map[byte]int{0xc0: 2, 0xd0: 4, 0xe0: 8, 0xf0: 3, 0xfe: 1}

// entry decodes head and data: size is that of both.
func (z *ziplist) entry(b []byte) (item []byte, size int, ok bool) {
	head := b[0]
	switch {
	case head < 0x40:
		return sized(b, 1, uint64(head))
	case head < 0x80:
		if len(b) < 2 {
			return nil, 0, false
		}
		return sized(b, 2, uint64(head&0x3f)<<8|uint64(b[1]))
	case head < 0xc0:
		if len(b) < 5 {
			return nil, 0, false
		}
		return sized(b, 5, uint64(binary.BigEndian.Uint32(b[1:])))
	case 0xf1 <= head && head <= 0xfd:
		return z.ofInt(int64(head&0x0f) - 1), 1, true
	}
	n := ziplistInts[head]
	if n == 0 || len(b) < 1+n {
		return nil, 0, false
	}
	return z.ofInt(littleInt(b[1 : 1+n])), 1 + n, true
}

// A zipmap, the hash of Redis before 2.6:
//
//	count    1 byte; 254 and more: not known
//	entries  length of the field, field, length of the value, free, value, and free
//	         bytes that mean nothing. A length is 1 byte up to 253, or 254 and 4
//	         bytes, little-endian; free is 1 byte
//	end      0xff
type zipmap struct {
	b       []byte // what is left, without the end
	left    int    // entries left by the count, -1: not known
	isValue bool
}

const zipmapBig = 254

// newZipmap checks the frame of a zipmap.
func newZipmap(b []byte) (*zipmap, error) {
	if len(b) < 2 || b[len(b)-1] != 0xff {
		return nil, badDump("zipmap of %d bytes", len(b))
	}
	z := &zipmap{b: b[1 : len(b)-1], left: int(b[0])}
	if z.left >= zipmapBig {
		z.left = -1
	}
	return z, nil
}

func (z *zipmap) next() (item []byte, ok bool, err error) {
	if !z.isValue {
		if len(z.b) == 0 {
			if z.left > 0 {
				return nil, false, badDump("zipmap with %d entries too few", z.left)
			}
			return nil, false, nil
		}
		if z.left == 0 {
			return nil, false, badDump("zipmap with more entries than it says")
		}
		if z.left > 0 {
			z.left--
		}
	}
	head, n, free := 1, uint64(0), 0
	if len(z.b) > 0 {
		n = uint64(z.b[0])
	}
	if n == zipmapBig && len(z.b) >= 5 {
		head, n = 5, uint64(binary.LittleEndian.Uint32(z.b[1:]))
	} else if n >= zipmapBig {
		return nil, false, badDump("zipmap length %d", n)
	}
	if z.isValue {
		if head < len(z.b) {
			free = int(z.b[head])
		}
		head++
	}
	if head > len(z.b) {
		return nil, false, badDump("zipmap that ends in an entry")
	}
	item, size, ok := sized(z.b, head, n)
	if !ok || free > len(z.b)-size {
		return nil, false, badDump("zipmap entry of %d bytes", n)
	}
	z.b = z.b[size+free:]
	z.isValue = !z.isValue
	return item, true, nil
}

// eachOfIntset calls fn for the members of an intset as text, valid until fn
// returns, all little-endian:
//
//	width    4 bytes: 2, 4 or 8
//	count    4 bytes
//	members  signed integers of that width, ascending: but a damaged one is taken, as
//	         by Redis, if it has each but once
func eachOfIntset(b []byte, fn func(member []byte) error) error {
	if len(b) < 8 {
		return badDump("intset of %d bytes", len(b))
	}
	width, count := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
	if width != 2 && width != 4 && width != 8 || count == 0 || count*width != uint64(len(b)-8) {
		return badDump("intset of %d members of %d bytes", count, width)
	}
	var text [24]byte
	for i := range count {
		n := littleInt(b[8+i*width : 8+(i+1)*width])
		if err := fn(strconv.AppendInt(text[:0], n, 10)); err != nil {
			return err
		}
	}
	return nil
}
