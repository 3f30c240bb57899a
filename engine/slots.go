package engine

import (
	"bytes"
	"unsafe"
)

// slotTable holds the entries of the keys of one shard of one keyspace, and the
// keys: entry and key together in one cell, so that who has the slot is one cache
// miss away from both. Guarded by the lock of its shard: at, cell, key, used, next,
// eachFrom, cap, len, bytes and random may run at the same time as each other.
//
// A cell is a cell header, eight bytes of expiry if the key got one when it was
// made, and the key. A slot is the number of a cell in the arena: a cell does not
// move, so the slot of a key stays what it is while the key lives. A scan's cursor is
// a slot, and a random key is a random cell.
//
// What few entries have is beside the cells: an expiry that came after the key, the
// bytes of a key longer than maxSlotKey, the size of a value that a collection has
// beside it.
type slotTable struct {
	cells     arena
	freeLong  uint32 // first unused element of long, +1
	longBytes int64  // of the keys in long
	long      []heapKey
	expires   slotMap // of entries with cellExpireBeside
	sizes     slotMap // of entries with cellColl and a value
}

// heapKey is a key too long for a cell; bytes is nil if the element is unused.
type heapKey struct {
	bytes []byte
	next  uint32
}

const (
	heapKeyBytes = 32

	// emptyTableBytes is what a table without keys may keep in order not to make it
	// again for the next one.
	emptyTableBytes = 2048
)

// newSlotTable returns an empty table.
func newSlotTable() *slotTable { return &slotTable{} }

// cell returns the header of a slot in use, valid until the slot is freed.
func (t *slotTable) cell(slot uint32) *cell {
	c := &t.cells.chunks[slot>>arenaPlaceBits]
	from := slot & (arenaPlaces - 1) * uint32(c.size)
	return (*cell)(c.words[from : from+cellWords])
}

// at returns the entry of a slot in use.
func (t *slotTable) at(slot uint32) (e entry) {
	t.read(slot, &e)
	return e
}

// read is at into e. An entry is large, and copied in larger pieces than it is made
// of, which a processor is slow at when it has just been made: so the commands that
// come most often use this.
func (t *slotTable) read(slot uint32, e *entry) {
	c := t.cell(slot)
	misc, clock := c[cellMisc], c.clockAndTag()
	e.loc, e.seq, e.expireMs, e.size, e.coll = c.loc(), c.seq(), 0, c[cellSize], 0
	e.clock, e.tag = clock&clockMask, uint8(clock>>clockBits)
	e.recFile, e.keyLen, e.flags = uint16(misc), misc>>keyLenShift&keyLenMask, uint8(misc>>flagsShift)
	if e.flags&(cellColl|cellExpireRoom|cellExpireBeside) != 0 || e.keyLen > maxSlotKey {
		t.unpackRest(slot, c, e)
	}
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
func (t *slotTable) rest(slot uint32) []uint32 { return t.cells.words(slot)[cellWords:] }

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
	words := t.cells.words(slot)
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

// hasKey reports whether the key of a slot in use is key.
func (t *slotTable) hasKey(slot uint32, key []byte) bool {
	words := t.cells.words(slot)
	if misc := words[cellMisc]; misc>>keyLenShift&keyLenMask == uint32(len(key)) &&
		misc&(uint32(cellExpireRoom)<<flagsShift) == 0 && 0 < len(key) && len(key) <= maxSlotKey {
		return string(unsafe.Slice((*byte)(unsafe.Pointer(&words[cellWords])), len(key))) == string(key)
	}
	return bytes.Equal(t.key(slot), key)
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
	slot = t.cells.alloc(arenaClassOf(words))
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
	return slot
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
	header[cellMisc] = keyLenUnused << keyLenShift
	t.cells.free(slot)
	if t.len() == 0 && t.bytes() > emptyTableBytes {
		*t = slotTable{}
	}
}

// used reports whether a slot is in use.
func (t *slotTable) used(slot uint32) bool {
	chunks := t.cells.chunks
	number, place := slot>>arenaPlaceBits, slot&(arenaPlaces-1)
	return int(number) < len(chunks) && place < uint32(chunks[number].fresh) && t.cell(slot).keyLen() != keyLenUnused
}

// next returns the lowest slot in use from from on.
func (t *slotTable) next(from uint32) (slot uint32, ok bool) {
	chunks := t.cells.chunks
	for number := from >> arenaPlaceBits; int(number) < len(chunks); number++ {
		c := &chunks[number]
		for place := from & (arenaPlaces - 1); c.used > 0 && place < uint32(c.fresh); place++ {
			slot = number<<arenaPlaceBits | place
			if t.cell(slot).keyLen() != keyLenUnused {
				return slot, true
			}
		}
		from = 0
	}
	return 0, false
}

// eachFrom calls fn for the entries of whole chunks, from chunk number on, until it has
// met n entries or all. It returns the chunk to go on with, and whether there is one.
func (t *slotTable) eachFrom(number, n int, fn func(c *cell)) (next int, more bool) {
	chunks := t.cells.chunks
	for ; number < len(chunks) && n > 0; number++ {
		k := &chunks[number]
		for at := 0; at < int(k.fresh)*int(k.size); at += int(k.size) {
			if c := (*cell)(k.words[at : at+cellWords]); c.keyLen() != keyLenUnused {
				fn(c)
				n--
			}
		}
	}
	return number, number < len(chunks)
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
		n := rnd(uint32(len(t.cells.filled)) * t.cells.most)
		number, place := t.cells.filled[n/t.cells.most], n%t.cells.most
		c := &t.cells.chunks[number]
		if place >= uint32(c.used) {
			continue
		}
		for c.used < c.fresh {
			place = rnd(uint32(c.fresh))
			if t.cell(number<<arenaPlaceBits|place).keyLen() != keyLenUnused {
				break
			}
		}
		return number<<arenaPlaceBits | place
	}
}

// cap returns a number above all slots in use.
func (t *slotTable) cap() uint32 { return uint32(len(t.cells.chunks)) << arenaPlaceBits }

// len returns the number of slots in use.
func (t *slotTable) len() int { return t.cells.count }

// freed returns how much of bytes is room that freed keys left.
func (t *slotTable) freed() int64 { return t.cells.holes }

// bytes returns the memory that the table uses, keys included.
func (t *slotTable) bytes() int64 {
	return int64(unsafe.Sizeof(*t)) + t.cells.bytes() + t.longBytes + int64(cap(t.long))*heapKeyBytes +
		t.expires.bytes() + t.sizes.bytes()
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
	t.longBytes += int64(len(key))
	return place
}

func (t *slotTable) removeLong(place uint32) {
	t.longBytes -= int64(len(t.long[place].bytes))
	t.long[place] = heapKey{next: t.freeLong}
	t.freeLong = place + 1
}
