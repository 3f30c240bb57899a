package engine

import "math/bits"

// arena gives out cells of memory, each of some number of 32-bit words, without
// a pointer to each and without moving them. Cells of one size class lie in chunks
// of up to 16 KiB, which hold no pointers and are given back when their last cell is
// freed. Chunks grow with what their class has already, so an arena of a few cells
// is small and a large one wastes little. (Because cells do not move, a few that are
// left all over an arena keep most of its chunks.)
//
// The number of a cell is that of its chunk and, below it, arenaPlaceBits of its place
// in the chunk. It is below 1<<31: enough for 64 GiB.
//
// words, next, random, bytes and freed may run at the same time as each other.
type arena struct {
	chunks    []arenaChunk
	links     []arenaLink // by number of the chunk, as chunks
	filled    []uint32    // the numbers of the chunks that have memory, in any order
	classes   []arenaClass
	freeChunk uint32 // first number without memory, +1; linked by arenaLink.next
	most      uint32 // no chunk has more cells
	count     int
	heap      int64 // bytes of the chunks
	holes     int64 // how much of heap is cells that were used and freed
}

// arenaChunk is a run of cells of one size; words is nil while its number is not in use.
type arenaChunk struct {
	words []uint32
	size  uint16 // of a cell, in words
	used  uint16
	fresh uint16 // cells from here on were never used
	free  uint16 // first cell that was used and freed, +1; linked by its first word
}

// arenaLink is what is needed of a chunk only when it becomes full, or is not full
// any more, or comes or goes.
type arenaLink struct {
	next, prev uint32 // in its class's list of chunks with room, +1; 0: none
	filled     uint32 // its place in arena.filled
	class      uint8
}

// arenaClass is the state of one size class.
type arenaClass struct {
	room  uint32 // first chunk with an unused cell, +1
	bytes int64  // of its chunks
}

const (
	arenaPlaceBits = 9
	arenaPlaces    = 1 << arenaPlaceBits
	maxArenaChunks = 1 << (31 - arenaPlaceBits)

	minArenaChunk = 256
	maxArenaChunk = 16 << 10

	arenaChunkBytes = 32
	arenaLinkBytes  = 16
	arenaClassBytes = 16
)

// Size classes: each number of words from minArenaWords up to fineArenaWords; above
// it, eight for each power of two.
const (
	minArenaWords  = 4
	fineArenaWords = 32
)

// arenaClassOf returns the size class of a cell of that many words, which are at
// least minArenaWords.
func arenaClassOf(words int) uint8 {
	if words <= fineArenaWords {
		return uint8(words - minArenaWords)
	}
	shift := bits.Len(uint(words-1)) - 4 // 2: 33..64, 3: 65..128, ...
	return uint8((shift-2)*8 + (words-1)>>shift - 8 + fineArenaWords - minArenaWords + 1)
}

// arenaClassWords returns the size of the cells of a class.
func arenaClassWords(class uint8) int {
	if class <= fineArenaWords-minArenaWords {
		return int(class) + minArenaWords
	}
	above := int(class) - (fineArenaWords - minArenaWords + 1)
	return (above%8 + 9) << (above/8 + 2)
}

// nextChunkBytes returns the size of the next chunk of a class: a quarter of what it
// has, so that no more than that is unused.
func nextChunkBytes(class uint8, has int64) int {
	least := max(minArenaChunk, 1<<bits.Len(uint(arenaClassWords(class)*4-1)))
	size := min(max(int(has/4), least), maxArenaChunk)
	return 1 << (bits.Len(uint(size)) - 1)
}

// cells is how many cells a chunk has.
func (c *arenaChunk) cells() int { return min(int(uint32(len(c.words))/uint32(c.size)), arenaPlaces) }

// words returns the words of a cell in use. They stay where they are until it is
// freed.
func (a *arena) words(cell uint32) []uint32 {
	c := &a.chunks[cell>>arenaPlaceBits]
	from := cell & (arenaPlaces - 1) * uint32(c.size)
	return c.words[from : from+uint32(c.size)]
}

// alloc takes an unused cell of a class. What is in it is anything.
func (a *arena) alloc(class uint8) (cell uint32) {
	for int(class) >= len(a.classes) {
		a.classes = append(a.classes, arenaClass{})
	}
	if a.classes[class].room == 0 {
		a.addChunk(class)
	}
	number := a.classes[class].room - 1
	c := &a.chunks[number]
	var place uint16
	if c.free != 0 {
		place = c.free - 1
		c.free = uint16(c.words[int(place)*int(c.size)])
		a.holes -= int64(c.size) * 4
	} else {
		place = c.fresh
		c.fresh++
	}
	c.used++
	a.count++
	if int(c.used) == c.cells() {
		a.unlink(number)
	}
	return number<<arenaPlaceBits | uint32(place)
}

// free gives back a cell. It changes its first word; the others say what they said
// until the cell is used again, or its chunk is given back.
func (a *arena) free(cell uint32) {
	number, place := cell>>arenaPlaceBits, cell&(arenaPlaces-1)
	c := &a.chunks[number]
	if int(c.used) == c.cells() {
		a.link(number)
	}
	c.words[place*uint32(c.size)] = uint32(c.free)
	c.free = uint16(place) + 1
	c.used--
	a.count--
	a.holes += int64(c.size) * 4
	// A chunk that is the only one with room is kept: the next cell may need it.
	if l := &a.links[number]; c.used == 0 && (l.next != 0 || l.prev != 0) {
		a.releaseChunk(number)
	}
}

// bytes returns the memory that the arena uses beside its own struct.
func (a *arena) bytes() int64 {
	return a.heap + int64(cap(a.chunks))*arenaChunkBytes + int64(cap(a.links))*arenaLinkBytes +
		int64(cap(a.filled))*4 + int64(cap(a.classes))*arenaClassBytes
}

// addChunk makes a chunk for a class whose chunks are full.
func (a *arena) addChunk(class uint8) {
	number := uint32(len(a.chunks))
	switch {
	case a.freeChunk != 0:
		number = a.freeChunk - 1
		a.freeChunk = a.links[number].next
	case number == maxArenaChunks:
		panic("engine: a shard has no number left for another 16 KiB of keys")
	default:
		a.chunks = append(a.chunks, arenaChunk{})
		a.links = append(a.links, arenaLink{})
	}
	k := &a.classes[class]
	size := nextChunkBytes(class, k.bytes)
	k.bytes += int64(size)
	a.heap += int64(size)
	a.chunks[number] = arenaChunk{words: make([]uint32, size/4), size: uint16(arenaClassWords(class))}
	a.links[number] = arenaLink{class: class, filled: uint32(len(a.filled))}
	a.filled = append(a.filled, number)
	a.most = max(a.most, uint32(a.chunks[number].cells()))
	a.link(number)
}

// releaseChunk gives back a chunk without cells in use.
func (a *arena) releaseChunk(number uint32) {
	a.unlink(number)
	l := &a.links[number]
	c := &a.chunks[number]
	size := int64(len(c.words)) * 4
	a.holes -= int64(c.fresh) * int64(c.size) * 4
	a.classes[l.class].bytes -= size
	a.heap -= size
	last := a.filled[len(a.filled)-1]
	a.filled[l.filled] = last
	a.links[last].filled = l.filled
	a.filled = a.filled[:len(a.filled)-1]
	*c = arenaChunk{}
	*l = arenaLink{next: a.freeChunk}
	a.freeChunk = number + 1
}

// link puts a chunk in front of its class's list of chunks with room.
func (a *arena) link(number uint32) {
	l := &a.links[number]
	k := &a.classes[l.class]
	l.prev, l.next = 0, k.room
	if k.room != 0 {
		a.links[k.room-1].prev = number + 1
	}
	k.room = number + 1
}

// unlink takes a chunk out of that list.
func (a *arena) unlink(number uint32) {
	l := &a.links[number]
	if l.prev != 0 {
		a.links[l.prev-1].next = l.next
	} else {
		a.classes[l.class].room = l.next
	}
	if l.next != 0 {
		a.links[l.next-1].prev = l.prev
	}
	l.prev, l.next = 0, 0
}
