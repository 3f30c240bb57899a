package engine

import (
	"math/bits"
	"unsafe"
)

// elementTable holds the elements of one collection. An element and its subkey
// stand in one cell: whoever compares the subkey of an element that a search
// found has the element in the cache, too. A cell is
//
//	element (24 bytes) | subkey, or its place in long (4 bytes) | unused
//
// of the size of its class. Cells lie in chunks of up to 64 KiB of one class,
// which hold no pointers and are given back when their last cell is freed, except
// the last one with room. A cell does not move while it is in use.
//
// A reference is the number of the cell's first word in its chunk, in the
// chunkWordBits lowest bits, and the number of the chunk above them.
//
// at, eachFrom and subkey may run at the same time as each other.
type elementTable struct {
	chunkLists
	bases    []unsafe.Pointer // first word of each chunk, by number; nil: given back
	chunks   []cellChunk      // by number
	long     [][]byte         // subkeys of more than maxCellKey bytes
	freeLong []uint32         // unused places in long
	size     int64            // bytes of the chunks and of the strings in long
}

// cellChunk is a run of cells of one size. Numbers of words count from its first.
type cellChunk struct {
	words uint16 // of the chunk
	cell  uint16 // words of a cell
	free  uint16 // first word of the first cell that was freed, +1; linked by that word
	fresh uint16 // cells from this word on were never used
	used  uint16 // cells
}

const (
	elementBytes  = 24
	maxCellKey    = 1000
	longKey       = 1<<15 - 1 // in place of the length of a subkey that is in long
	chunkWordBits = 13
	maxChunkBytes = 8 << chunkWordBits
	cellMostBytes = elementBytes + maxCellKey
	cellExact     = 64 // up to this size the classes are multiples of 8
)

// The layout of a cell rests on this.
var _ = [1]struct{}{}[unsafe.Sizeof(element{})-elementBytes]

// cellClassOf returns the class of a cell of n bytes, up to cellMostBytes:
// multiples of 8 up to cellExact, then four classes for each power of two.
func cellClassOf(n int) uint8 {
	if n <= cellExact {
		return uint8((n+7)/8 - 1)
	}
	shift := bits.Len(uint(n-1)) - 3 // 4: 65..128, 5: 129..256, ...
	return uint8((shift-4)*4 + (n-1)>>shift - 4 + 8)
}

// cellClassBytes returns the size of the cells of a class.
func cellClassBytes(class uint8) int {
	if class < 8 {
		return (int(class) + 1) * 8
	}
	return (int(class-8)%4 + 5) << (int(class-8)/4 + 4)
}

// at returns the element of a reference. The pointer is valid until it is freed.
func (t *elementTable) at(ref uint32) *element {
	return (*element)(t.word(ref>>chunkWordBits, ref&(1<<chunkWordBits-1)))
}

func (t *elementTable) word(chunk, word uint32) unsafe.Pointer {
	return unsafe.Add(t.bases[chunk], uintptr(word)*8)
}

// subkey returns the subkey of an element, valid until it is freed.
func (t *elementTable) subkey(ref uint32) []byte { return t.subkeyOf(t.at(ref)) }

// subkeyOf is subkey of an element that at returned.
func (t *elementTable) subkeyOf(e *element) []byte {
	body := unsafe.Add(unsafe.Pointer(e), elementBytes)
	n := int(e.bits &^ elementInline)
	if n == longKey {
		return t.long[*(*uint32)(body)]
	}
	return unsafe.Slice((*byte)(body), n)
}

// add stores v with a copy of its subkey and returns its reference.
func (t *elementTable) add(v *element, subkey []byte) (ref uint32, e *element) {
	n := len(subkey)
	if n > maxCellKey {
		n = longKey
	}
	ref = t.alloc(cellClassOf(cellBytes(n)))
	e = t.at(ref)
	*e = *v
	e.bits = v.bits&elementInline | uint16(n)
	if n == longKey {
		*(*uint32)(unsafe.Add(unsafe.Pointer(e), elementBytes)) = t.addLong(subkey)
	} else {
		copy(t.subkeyOf(e), subkey)
	}
	return ref, e
}

// cellBytes is what the cell of a subkey whose length is written as n needs.
func cellBytes(n int) int {
	if n == longKey {
		return elementBytes + 4
	}
	return elementBytes + n
}

// free gives back the cell of an element.
func (t *elementTable) free(ref uint32) {
	number, word := ref>>chunkWordBits, ref&(1<<chunkWordBits-1)
	e := t.at(ref)
	if e.bits&^elementInline == longKey {
		t.removeLong(*(*uint32)(unsafe.Add(unsafe.Pointer(e), elementBytes)))
	}
	c := &t.chunks[number]
	if c.full() {
		t.link(c.class(), number)
	}
	*e = element{} // a transaction may still look at it, see settleElements
	*(*uint16)(unsafe.Pointer(e)) = c.free
	c.free = uint16(word) + 1
	c.used--
	// A chunk that is the only one with room is kept: the next element may need it.
	if c.used == 0 && !t.onlyRoom(number) {
		t.releaseChunk(number)
	}
}

// eachFrom calls fn for the elements of whole chunks, from chunk number on, until it
// has met n elements or all. It returns the chunk to go on with, and whether there is
// one. REQUIRES: no transaction is writing the collection.
func (t *elementTable) eachFrom(number, n int, fn func(e *element)) (next int, more bool) {
	for ; number < len(t.chunks) && n > 0; number++ {
		c := &t.chunks[number]
		for word := uint32(0); word < uint32(c.fresh); word += uint32(c.cell) {
			// An element has a sequence number, a cell that was freed has none.
			if e := (*element)(t.word(uint32(number), word)); e.seq != 0 {
				fn(e)
				n--
			}
		}
	}
	return number, number < len(t.chunks)
}

// bytes returns the memory that the table uses beside its own struct.
func (t *elementTable) bytes() int64 {
	return t.size + t.listBytes() + int64(cap(t.bases))*8 + int64(cap(t.chunks))*int64(unsafe.Sizeof(cellChunk{})) +
		int64(cap(t.long))*24 + int64(cap(t.freeLong))*4
}

// alloc takes an unused cell.
func (t *elementTable) alloc(class uint8) (ref uint32) {
	number, ok := t.withRoom(class)
	if !ok {
		number = t.addChunk(class)
	}
	c := &t.chunks[number]
	var word uint32
	if c.free != 0 {
		word = uint32(c.free) - 1
		c.free = *(*uint16)(t.word(number, word))
	} else {
		word = uint32(c.fresh)
		c.fresh += c.cell
	}
	c.used++
	if c.full() {
		t.unlink(class, number)
	}
	return number<<chunkWordBits | word
}

// addChunk makes a chunk for a class whose chunks are full: of about an eighth of
// what the class has, so that a small collection stays small.
func (t *elementTable) addChunk(class uint8) (number uint32) {
	if t.nextNumber() == 1<<(32-chunkWordBits) {
		panic("engine: a collection has more elements than can be numbered")
	}
	number = t.addNumber(class)
	if number == uint32(len(t.chunks)) {
		t.chunks = append(t.chunks, cellChunk{})
		t.bases = append(t.bases, nil)
	}
	k := &t.classes[class]
	cell := cellClassBytes(class)
	words := (1 << bits.Len(uint(max(2*cell, int(min(k.bytes/8, maxChunkBytes-1)))))) / 8
	memory := make([]uint64, words)
	t.bases[number] = unsafe.Pointer(unsafe.SliceData(memory))
	t.chunks[number] = cellChunk{words: uint16(words), cell: uint16(cell / 8)}
	k.bytes += int64(words) * 8
	t.size += int64(words) * 8
	return number
}

// releaseChunk gives back a chunk without cells in use.
func (t *elementTable) releaseChunk(number uint32) {
	c := &t.chunks[number]
	class := c.class()
	t.classes[class].bytes -= int64(c.words) * 8
	t.size -= int64(c.words) * 8
	*c = cellChunk{}
	t.bases[number] = nil
	t.releaseNumber(class, number)
}

func (c *cellChunk) class() uint8 { return cellClassOf(int(c.cell) * 8) }

// full reports whether a chunk has no unused cell.
func (c *cellChunk) full() bool { return c.free == 0 && c.fresh+c.cell > c.words }

// addLong keeps a long subkey on the Go heap and returns its place there.
func (t *elementTable) addLong(subkey []byte) (place uint32) {
	place = uint32(len(t.long))
	if n := len(t.freeLong); n > 0 {
		place, t.freeLong = t.freeLong[n-1], t.freeLong[:n-1]
	} else {
		t.long = append(t.long, nil)
	}
	t.long[place] = append(make([]byte, 0, len(subkey)), subkey...)
	t.size += int64(len(subkey))
	return place
}

func (t *elementTable) removeLong(place uint32) {
	t.size -= int64(len(t.long[place]))
	t.long[place] = nil
	t.freeLong = append(t.freeLong, place)
}
