package engine

import (
	"math/bits"
	"unsafe"
)

// slotTable holds the entries of the keys of one shard of one keyspace, and the
// keys: entry and key together in one cell, so that who has the slot is one cache
// miss away from both. Guarded by the lock of its shard: at, cell, key, used, next,
// cap, len, bytes and random may run at the same time as each other.
//
// A cell is a cell header, eight bytes of expiry if the key got one when it was
// made, and the key, rounded up to a size class. Cells of one class lie in chunks
// of up to 16 KiB, which are given back when their last cell is freed. Chunks grow
// with what their class has already, so a table of a few keys is small and a large
// one wastes little.
//
// A slot is the number of a chunk and, below it, slotCellBits of the number of a
// cell in it. A cell does not move, so the slot of a key stays what it is while the
// key lives: a scan's cursor is a slot, and a random key is a random cell. (That
// cells do not move is also why a few keys that are left all over a table keep most
// of its chunks.) A slot is below 1<<31, as the index wants it: that is enough for
// 64 GiB of entries and keys.
//
// What few entries have is beside the cells: an expiry that came after the key, the
// bytes of a key longer than maxSlotKey, the size of a value that a collection has
// beside it.
type slotTable struct {
	chunks    []chunk
	links     []chunkLink // by number of the chunk, as chunks
	filled    []uint32    // the numbers of the chunks that have memory, in any order
	classes   []slotClass
	freeChunk uint32 // first number without memory, +1; linked by chunkLink.next
	freeLong  uint32 // first unused element of long, +1
	most      uint32 // no chunk has more cells
	count     int
	heap      int64 // bytes of the chunks and of the keys in long
	holes     int64 // how much of heap is cells that were used and freed
	long      []heapKey
	expires   slotMap // of entries with cellExpireBeside
	sizes     slotMap // of entries with cellColl and a value
}

// chunk is a run of cells of one size; words is nil while its number is not in use.
type chunk struct {
	words []uint32
	size  uint16 // of a cell, in words
	used  uint16
	fresh uint16 // cells from here on were never used
	free  uint16 // first cell that was used and freed, +1; linked by its first word
}

// chunkLink is what is needed of a chunk only when it becomes full, or is not full
// any more, or comes or goes.
type chunkLink struct {
	next, prev uint32 // in its class's list of chunks with room, +1; 0: none
	filled     uint32 // its place in slotTable.filled
	class      uint8
}

// slotClass is the state of one size class.
type slotClass struct {
	room  uint32 // first chunk with an unused cell, +1
	bytes int64  // of its chunks
}

// heapKey is a key too long for a cell; bytes is nil if the element is unused.
type heapKey struct {
	bytes []byte
	next  uint32
}

const (
	slotCellBits  = 9
	chunkCells    = 1 << slotCellBits
	maxSlotChunks = 1 << (31 - slotCellBits)

	minSlotChunkBytes = 128
	maxSlotChunkBytes = 16 << 10

	chunkBytes     = 32
	chunkLinkBytes = 16
	slotClassBytes = 16
	heapKeyBytes   = 32

	// emptyTableBytes is what a table without keys may keep in order not to make it
	// again for the next one.
	emptyTableBytes = 2048
)

// Size classes, in words: each number of words up to fineClassWords; above it,
// eight for each power of two.
const (
	fineClassWords = 32
	maxClassWords  = cellWords + 2 + (maxSlotKey+3)/4
)

// slotClassOf returns the size class of a cell of that many words, from cellWords on.
func slotClassOf(words int) uint8 {
	if words <= fineClassWords {
		return uint8(words - cellWords)
	}
	shift := bits.Len(uint(words-1)) - 4 // 2: 33..64, 3: 65..128, ...
	return uint8((shift-2)*8 + (words-1)>>shift - 8 + fineClassWords - cellWords + 1)
}

// slotClassWords returns the size of the cells of a class.
func slotClassWords(class uint8) int {
	if class <= fineClassWords-cellWords {
		return int(class) + cellWords
	}
	above := int(class) - (fineClassWords - cellWords + 1)
	return (above%8 + 9) << (above/8 + 2)
}

// nextChunkBytes returns the bytes of the next chunk of a class: an eighth of what it
// has, so that no more than that is unused.
func nextChunkBytes(class uint8, has int64) int {
	least := max(minSlotChunkBytes, 1<<bits.Len(uint(slotClassWords(class)*4-1)))
	size := min(max(int(has/8), least), maxSlotChunkBytes)
	return 1 << (bits.Len(uint(size)) - 1)
}

// newSlotTable returns an empty table.
func newSlotTable() *slotTable { return &slotTable{} }

// cells is how many cells a chunk has.
func (c *chunk) cells() int { return min(int(uint32(len(c.words))/uint32(c.size)), chunkCells) }

// cell returns the header of a slot in use, valid until the slot is freed.
func (t *slotTable) cell(slot uint32) *cell {
	c := &t.chunks[slot>>slotCellBits]
	from := slot & (chunkCells - 1) * uint32(c.size)
	return (*cell)(c.words[from : from+cellWords])
}

// at returns the entry of a slot in use.
func (t *slotTable) at(slot uint32) entry {
	c := t.cell(slot)
	misc, clock := c[cellMisc], c.clockAndTag()
	e := entry{
		loc: c.loc(), seq: c.seq(), clock: clock & clockMask, tag: uint8(clock >> clockBits),
		recFile: uint16(misc), keyLen: misc >> keyLenShift & keyLenMask, flags: uint8(misc >> flagsShift),
	}
	if e.flags&(cellColl|cellExpireRoom|cellExpireBeside) == 0 && e.keyLen <= maxSlotKey {
		e.size = c[cellSize]
		return e
	}
	t.unpackRest(slot, c, &e)
	return e
}

// unpackRest fills in what is not in the header of a cell.
func (t *slotTable) unpackRest(slot uint32, c *cell, e *entry) {
	e.size = c[cellSize]
	if e.flags&cellColl != 0 {
		e.coll, e.size = e.size, uint32(t.sizes.get(slot))
	}
	e.expireMs = t.expireMs(slot, c)
	if e.keyLen == keyLenLong {
		e.keyLen = uint32(len(t.key(slot)))
	}
	e.flags &= entryFlags
}

// expireMs returns the expiry of a slot in use, whose cell is c; 0: never.
func (t *slotTable) expireMs(slot uint32, c *cell) int64 {
	switch flags := c.flags(); {
	case flags&cellExpireRoom != 0:
		at := t.rest(slot)
		return int64(uint64(at[0]) | uint64(at[1])<<32)
	case flags&cellExpireBeside != 0:
		return t.expires.get(slot)
	}
	return 0
}

// rest returns the words of a cell behind its header.
func (t *slotTable) rest(slot uint32) []uint32 {
	c := &t.chunks[slot>>slotCellBits]
	from := slot & (chunkCells - 1) * uint32(c.size)
	return c.words[from+cellWords : from+uint32(c.size)]
}

// set makes the entry of a slot in use what e says; but for keyLen, which is what
// it is.
func (t *slotTable) set(slot uint32, e *entry) {
	c := t.cell(slot)
	was := c.flags()
	is := e.flags&entryFlags | was&cellExpireRoom
	switch {
	case is&cellExpireRoom != 0:
		at := t.rest(slot)
		at[0], at[1] = uint32(e.expireMs), uint32(uint64(e.expireMs)>>32)
	case e.expireMs != 0:
		t.expires.put(slot, e.expireMs)
		is |= cellExpireBeside
	case was&cellExpireBeside != 0:
		t.expires.delete(slot)
	}
	c[cellSize] = e.size
	if e.coll != 0 {
		c[cellSize] = e.coll
		is |= cellColl
	}
	if (is|was)&cellColl != 0 {
		t.setSizeBeside(slot, e)
	}
	c.setWord64(cellLoc, uint64(e.loc))
	c.setWord64(cellSeq, e.seq)
	c[cellClock] = uint32(e.tag)<<clockBits | e.clock&clockMask
	c[cellMisc] = uint32(e.recFile) | c[cellMisc]&(keyLenMask<<keyLenShift) | uint32(is)<<flagsShift
}

// setSizeBeside keeps the size of a value that a collection has beside it.
func (t *slotTable) setSizeBeside(slot uint32, e *entry) {
	if e.coll != 0 && e.size != 0 {
		t.sizes.put(slot, int64(e.size))
	} else {
		t.sizes.delete(slot)
	}
}

// key returns the key of a slot in use, valid until the slot is freed.
func (t *slotTable) key(slot uint32) []byte {
	ch := &t.chunks[slot>>slotCellBits]
	from := slot & (chunkCells - 1) * uint32(ch.size)
	words := ch.words[from : from+uint32(ch.size)]
	misc := words[cellMisc]
	n := misc >> keyLenShift & keyLenMask
	words = words[cellWords:]
	if misc&(uint32(cellExpireRoom)<<flagsShift) != 0 {
		words = words[2:]
	}
	switch n {
	case 0:
		return []byte{}
	case keyLenLong:
		return t.long[words[0]].bytes
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*4)[:n:n]
}

// alloc takes an unused slot for key, which it copies. Its entry is zero. expires
// says that the key has an expiry, or will have one soon: then there is room for it.
func (t *slotTable) alloc(key []byte, expires bool) (slot uint32) {
	words, misc := cellWords+(len(key)+3)/4, uint32(len(key))<<keyLenShift
	if len(key) > maxSlotKey {
		words, misc = cellWords+1, keyLenLong<<keyLenShift
	}
	if expires {
		words += 2
		misc |= uint32(cellExpireRoom) << flagsShift
	}
	slot = t.allocCell(slotClassOf(words))
	c := t.cell(slot)
	*c = cell{cellMisc: misc}
	rest := t.rest(slot)
	if expires {
		rest[0], rest[1] = 0, 0
		rest = rest[2:]
	}
	switch {
	case len(key) > maxSlotKey:
		rest[0] = t.addLong(key)
	case len(key) > 0:
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(rest))), len(rest)*4), key)
	}
	t.count++
	return slot
}

// allocCell takes an unused cell of a class.
func (t *slotTable) allocCell(class uint8) (slot uint32) {
	for int(class) >= len(t.classes) {
		t.classes = append(t.classes, slotClass{})
	}
	if t.classes[class].room == 0 {
		t.addChunk(class)
	}
	number := t.classes[class].room - 1
	c := &t.chunks[number]
	var place uint16
	if c.free != 0 {
		place = c.free - 1
		c.free = uint16(c.words[int(place)*int(c.size)])
		t.holes -= int64(c.size) * 4
	} else {
		place = c.fresh
		c.fresh++
	}
	c.used++
	if int(c.used) == c.cells() {
		t.unlink(number)
	}
	return number<<slotCellBits | uint32(place)
}

// free gives back a slot in use and its key.
func (t *slotTable) free(slot uint32) {
	header := t.cell(slot)
	flags := header.flags()
	if flags&cellExpireBeside != 0 {
		t.expires.delete(slot)
	}
	if flags&cellColl != 0 {
		t.sizes.delete(slot)
	}
	if header.keyLen() == keyLenLong {
		at := t.rest(slot)
		if flags&cellExpireRoom != 0 {
			at = at[2:]
		}
		t.removeLong(at[0])
	}
	number := slot >> slotCellBits
	c := &t.chunks[number]
	if int(c.used) == c.cells() {
		t.link(number)
	}
	*header = cell{0: uint32(c.free), cellMisc: keyLenUnused << keyLenShift}
	c.free = uint16(slot&(chunkCells-1)) + 1
	c.used--
	t.holes += int64(c.size) * 4
	t.count--
	// A chunk that is the only one with room is kept: the next key may need it.
	if l := &t.links[number]; c.used == 0 && (l.next != 0 || l.prev != 0) {
		t.releaseChunk(number)
	}
	if t.count == 0 && t.bytes() > emptyTableBytes {
		*t = slotTable{}
	}
}

// used reports whether a slot is in use.
func (t *slotTable) used(slot uint32) bool {
	number := slot >> slotCellBits
	if int(number) >= len(t.chunks) {
		return false
	}
	place := slot & (chunkCells - 1)
	return place < uint32(t.chunks[number].fresh) && t.cell(slot).keyLen() != keyLenUnused
}

// next returns the lowest slot in use from from on.
func (t *slotTable) next(from uint32) (slot uint32, ok bool) {
	for number := from >> slotCellBits; int(number) < len(t.chunks); number++ {
		c := &t.chunks[number]
		for place := from & (chunkCells - 1); c.used > 0 && place < uint32(c.fresh); place++ {
			slot = number<<slotCellBits | place
			if t.cell(slot).keyLen() != keyLenUnused {
				return slot, true
			}
		}
		from = 0
	}
	return 0, false
}

// all is for a loop over the slots in use, in ascending order, which may free them.
func (t *slotTable) all(yield func(slot uint32) bool) {
	for slot, ok := t.next(0); ok; slot, ok = t.next(slot + 1) {
		if !yield(slot) {
			return
		}
	}
}

// random returns a slot in use, each with the same chance, given a source of random
// numbers below n. The table must not be empty. It picks a chunk, with a chance that
// grows with how many of its cells are in use, by trying again; then one of those,
// in the same way. How many tries that takes does not hang on how many keys there
// are, or were: chunks without keys, but for one a class, have been given back.
func (t *slotTable) random(rnd func(n uint32) uint32) (slot uint32) {
	for {
		n := rnd(uint32(len(t.filled)) * t.most)
		number, place := t.filled[n/t.most], n%t.most
		c := &t.chunks[number]
		if place >= uint32(c.used) {
			continue
		}
		for c.used < c.fresh {
			place = rnd(uint32(c.fresh))
			if t.cell(number<<slotCellBits|place).keyLen() != keyLenUnused {
				break
			}
		}
		return number<<slotCellBits | place
	}
}

// cap returns a number above all slots in use.
func (t *slotTable) cap() uint32 { return uint32(len(t.chunks)) << slotCellBits }

// len returns the number of slots in use.
func (t *slotTable) len() int { return t.count }

// freed returns how much of bytes is room that freed keys left.
func (t *slotTable) freed() int64 { return t.holes }

// bytes returns the memory that the table uses, keys included.
func (t *slotTable) bytes() int64 {
	return int64(unsafe.Sizeof(*t)) + t.heap + int64(cap(t.chunks))*chunkBytes +
		int64(cap(t.links))*chunkLinkBytes + int64(cap(t.filled))*4 + int64(cap(t.classes))*slotClassBytes +
		int64(cap(t.long))*heapKeyBytes + t.expires.bytes() + t.sizes.bytes()
}

// addChunk makes a chunk for a class whose chunks are full.
func (t *slotTable) addChunk(class uint8) {
	number := uint32(len(t.chunks))
	switch {
	case t.freeChunk != 0:
		number = t.freeChunk - 1
		t.freeChunk = t.links[number].next
	case number == maxSlotChunks:
		panic("engine: a shard has no number left for another 16 KiB of keys")
	default:
		t.chunks = append(t.chunks, chunk{})
		t.links = append(t.links, chunkLink{})
	}
	k := &t.classes[class]
	size := nextChunkBytes(class, k.bytes)
	k.bytes += int64(size)
	t.heap += int64(size)
	t.chunks[number] = chunk{words: make([]uint32, size/4), size: uint16(slotClassWords(class))}
	t.links[number] = chunkLink{class: class, filled: uint32(len(t.filled))}
	t.filled = append(t.filled, number)
	t.most = max(t.most, uint32(t.chunks[number].cells()))
	t.link(number)
}

// releaseChunk gives back a chunk without keys.
func (t *slotTable) releaseChunk(number uint32) {
	t.unlink(number)
	l := &t.links[number]
	c := &t.chunks[number]
	size := len(c.words) * 4
	t.holes -= int64(c.fresh) * int64(c.size) * 4
	t.classes[l.class].bytes -= int64(size)
	t.heap -= int64(size)
	last := t.filled[len(t.filled)-1]
	t.filled[l.filled] = last
	t.links[last].filled = l.filled
	t.filled = t.filled[:len(t.filled)-1]
	*c = chunk{}
	*l = chunkLink{next: t.freeChunk}
	t.freeChunk = number + 1
}

// link puts a chunk in front of its class's list of chunks with room.
func (t *slotTable) link(number uint32) {
	l := &t.links[number]
	k := &t.classes[l.class]
	l.prev, l.next = 0, k.room
	if k.room != 0 {
		t.links[k.room-1].prev = number + 1
	}
	k.room = number + 1
}

// unlink takes a chunk out of that list.
func (t *slotTable) unlink(number uint32) {
	l := &t.links[number]
	if l.prev != 0 {
		t.links[l.prev-1].next = l.next
	} else {
		t.classes[l.class].room = l.next
	}
	if l.next != 0 {
		t.links[l.next-1].prev = l.prev
	}
	l.prev, l.next = 0, 0
}

// addLong keeps a key that is too long for a cell.
func (t *slotTable) addLong(key []byte) (place uint32) {
	place = uint32(len(t.long))
	if t.freeLong != 0 {
		place = t.freeLong - 1
		t.freeLong = t.long[place].next
	} else {
		t.long = append(t.long, heapKey{})
	}
	t.long[place].bytes = append(make([]byte, 0, len(key)), key...)
	t.heap += int64(len(key))
	return place
}

func (t *slotTable) removeLong(place uint32) {
	t.heap -= int64(len(t.long[place].bytes))
	t.long[place] = heapKey{next: t.freeLong}
	t.freeLong = place + 1
}
