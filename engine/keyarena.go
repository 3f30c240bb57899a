package engine

import (
	"encoding/binary"
	"math/bits"
)

// keyArena stores byte strings, each once, without a pointer per string. A
// string of up to maxCellBytes is in a cell of the next larger size class; cells
// lie in chunks of up to a few KiB, which hold no pointers and are given back
// when their last cell is freed. A longer string is on the Go heap.
//
// A reference is cellRefBits of cell and the number of the chunk above them; or,
// with refOnHeap set, the place in heap.
type keyArena struct {
	chunks    []keyChunk
	freeChunk uint32 // first unused element of chunks, +1; linked by next
	freeHeap  uint32 // first unused element of heap, +1
	classes   []keyClass
	heap      []heapKey
	size      int64 // bytes of the chunks' cells and of the strings in heap
	holes     int64 // how much of size is cells that were used and freed
}

const (
	maxCellBytes = 1024
	cellRefBits  = 9
	maxChunks    = 1 << (31 - cellRefBits)
	refOnHeap    = 1 << 31
)

const (
	keyChunkBytes = 48
	keyClassBytes = 8
	heapKeyBytes  = 32
)

// keyClass is the state of one size class.
type keyClass struct {
	room   uint32 // first chunk with an unused cell, +1; linked by next and prev
	chunks uint32
}

// keyChunk is a run of cells of one size.
type keyChunk struct {
	cells []byte
	next  uint32 // +1; 0: none
	prev  uint32
	size  uint16 // of a cell
	free  uint16 // first cell that was used and freed, +1; linked by its first two bytes
	fresh uint16 // cells from here on were never used
	used  uint16
	class uint8
}

// heapKey is a string on the Go heap; bytes is nil if the element is unused.
type heapKey struct {
	bytes []byte
	next  uint32
}

// classOf returns the size class of a length of 1..maxCellBytes: multiples of 8
// up to 64, then four classes for each power of two.
func classOf(n int) uint8 {
	if n <= 64 {
		return uint8((n+7)/8 - 1)
	}
	shift := bits.Len(uint(n-1)) - 3 // 4: 65..128, 5: 129..256, ...
	return uint8((shift-4)*4 + (n-1)>>shift - 4 + 8)
}

// classSize returns the size of the cells of a class.
func classSize(class uint8) int {
	if class < 8 {
		return (int(class) + 1) * 8
	}
	return (int(class-8)%4 + 5) << (int(class-8)/4 + 4)
}

// chunkSize returns the bytes of the next chunk of a class that has n chunks:
// they double, so that a table of a few keys stays small.
func chunkSize(class uint8, n uint32) int {
	size := classSize(class)
	first := max(64, 1<<bits.Len(uint(2*size-1)))
	limit := 4096
	if size > 128 {
		limit = 16384
	}
	return min(limit, first<<min(n, 16))
}

// add stores a copy of key and returns its reference.
func (a *keyArena) add(key []byte) uint32 {
	switch {
	case len(key) == 0:
		return 0
	case len(key) > maxCellBytes:
		return a.addHeap(key)
	}
	class := classOf(len(key))
	for int(class) >= len(a.classes) {
		a.classes = append(a.classes, keyClass{})
	}
	if a.classes[class].room == 0 && !a.addChunk(class) {
		return a.addHeap(key)
	}
	number := a.classes[class].room - 1
	c := &a.chunks[number]
	var cell uint16
	if c.free != 0 {
		cell = c.free - 1
		c.free = binary.LittleEndian.Uint16(c.cells[int(cell)*int(c.size):])
		a.holes -= int64(c.size)
	} else {
		cell = c.fresh
		c.fresh++
	}
	c.used++
	if c.full() {
		a.unlink(number)
	}
	copy(c.cells[int(cell)*int(c.size):], key)
	return number<<cellRefBits | uint32(cell)
}

// get returns the string of n bytes that ref stands for, valid until it is
// removed.
func (a *keyArena) get(ref, n uint32) []byte {
	if ref&refOnHeap != 0 {
		return a.heap[ref&^refOnHeap].bytes
	}
	if n == 0 {
		return []byte{}
	}
	c := &a.chunks[ref>>cellRefBits]
	from := ref & (1<<cellRefBits - 1) * uint32(c.size)
	return c.cells[from : from+n : from+n]
}

// remove frees the string of n bytes that ref stands for.
func (a *keyArena) remove(ref, n uint32) {
	if ref&refOnHeap != 0 {
		k := &a.heap[ref&^refOnHeap]
		a.size -= int64(len(k.bytes))
		*k = heapKey{next: a.freeHeap}
		a.freeHeap = ref&^refOnHeap + 1
		return
	}
	if n == 0 {
		return
	}
	number, cell := ref>>cellRefBits, uint16(ref&(1<<cellRefBits-1))
	c := &a.chunks[number]
	if c.full() {
		a.link(number)
	}
	binary.LittleEndian.PutUint16(c.cells[int(cell)*int(c.size):], c.free)
	c.free = cell + 1
	c.used--
	a.holes += int64(c.size)
	// A chunk that is the only one with room is kept: the next key may need it.
	if c.used == 0 && (c.next != 0 || c.prev != 0) {
		a.releaseChunk(number)
	}
}

// bytes returns the memory that the arena uses.
func (a *keyArena) bytes() int64 {
	return a.size + int64(cap(a.chunks))*keyChunkBytes + int64(cap(a.classes))*keyClassBytes +
		int64(cap(a.heap))*heapKeyBytes
}

// freed returns how much of bytes is cells that were used and freed.
func (a *keyArena) freed() int64 { return a.holes }

func (a *keyArena) addHeap(key []byte) uint32 {
	place := uint32(len(a.heap))
	if a.freeHeap != 0 {
		place = a.freeHeap - 1
		a.freeHeap = a.heap[place].next
	} else {
		a.heap = append(a.heap, heapKey{})
	}
	a.heap[place].bytes = append(make([]byte, 0, len(key)), key...)
	a.size += int64(len(key))
	return refOnHeap | place
}

// addChunk makes a chunk for a class whose chunks are full. It reports false if
// references have no number left for it.
func (a *keyArena) addChunk(class uint8) bool {
	number := uint32(len(a.chunks))
	switch {
	case a.freeChunk != 0:
		number = a.freeChunk - 1
		a.freeChunk = a.chunks[number].next
	case number == maxChunks:
		return false
	default:
		a.chunks = append(a.chunks, keyChunk{})
	}
	k := &a.classes[class]
	size := chunkSize(class, k.chunks)
	a.chunks[number] = keyChunk{cells: make([]byte, size), size: uint16(classSize(class)), class: class}
	k.chunks++
	a.size += int64(size)
	a.link(number)
	return true
}

// releaseChunk gives back a chunk without strings.
func (a *keyArena) releaseChunk(number uint32) {
	a.unlink(number)
	c := &a.chunks[number]
	a.classes[c.class].chunks--
	a.size -= int64(len(c.cells))
	a.holes -= int64(c.fresh) * int64(c.size)
	*c = keyChunk{next: a.freeChunk}
	a.freeChunk = number + 1
}

// link puts a chunk in front of its class's list of chunks with room.
func (a *keyArena) link(number uint32) {
	c := &a.chunks[number]
	k := &a.classes[c.class]
	c.prev, c.next = 0, k.room
	if k.room != 0 {
		a.chunks[k.room-1].prev = number + 1
	}
	k.room = number + 1
}

// unlink takes a chunk out of that list.
func (a *keyArena) unlink(number uint32) {
	c := &a.chunks[number]
	if c.prev != 0 {
		a.chunks[c.prev-1].next = c.next
	} else {
		a.classes[c.class].room = c.next
	}
	if c.next != 0 {
		a.chunks[c.next-1].prev = c.prev
	}
	c.prev, c.next = 0, 0
}

// full reports whether a chunk has no unused cell.
func (c *keyChunk) full() bool { return int(c.used) == len(c.cells)/int(c.size) }
