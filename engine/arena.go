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
	chunkLists
	chunks []arenaChunk // by number
	filled []uint32     // the numbers of the chunks that have memory, in any order
	most   uint32       // no chunk has more cells
	count  int
	heap   int64 // bytes of the chunks
	holes  int64 // how much of heap is cells that were used and freed
}

// arenaChunk is a run of cells of one size; words is nil while its number is not in use.
type arenaChunk struct {
	words []uint32
	size  uint16 // of a cell, in words
	used  uint16
	fresh uint16 // cells from here on were never used
	free  uint16 // first cell that was used and freed, +1; linked by its first word
}

const (
	arenaPlaceBits = 9
	arenaPlaces    = 1 << arenaPlaceBits
	maxArenaChunks = 1 << (31 - arenaPlaceBits)

	minArenaChunk = 256
	maxArenaChunk = 16 << 10

	arenaChunkBytes = 32
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

func (c *arenaChunk) class() uint8 { return arenaClassOf(int(c.size)) }

// words returns the words of a cell in use. They stay where they are until it is
// freed.
func (a *arena) words(cell uint32) []uint32 {
	c := &a.chunks[cell>>arenaPlaceBits]
	from := cell & (arenaPlaces - 1) * uint32(c.size)
	return c.words[from : from+uint32(c.size)]
}

// alloc takes an unused cell of a class. What is in it is anything.
func (a *arena) alloc(class uint8) (cell uint32) {
	number, ok := a.withRoom(class)
	if !ok {
		number = a.addChunk(class)
	}
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
		a.unlink(class, number)
	}
	return number<<arenaPlaceBits | uint32(place)
}

// free gives back a cell. It changes its first word; the others say what they said
// until the cell is used again, or its chunk is given back.
func (a *arena) free(cell uint32) {
	number, place := cell>>arenaPlaceBits, cell&(arenaPlaces-1)
	c := &a.chunks[number]
	if int(c.used) == c.cells() {
		a.link(c.class(), number)
	}
	c.words[place*uint32(c.size)] = uint32(c.free)
	c.free = uint16(place) + 1
	c.used--
	a.count--
	a.holes += int64(c.size) * 4
	// A chunk that is the only one with room is kept: the next cell may need it.
	if c.used == 0 && !a.onlyRoom(number) {
		a.releaseChunk(number)
	}
}

// bytes returns the memory that the arena uses beside its own struct.
func (a *arena) bytes() int64 {
	return a.heap + a.listBytes() + int64(cap(a.chunks))*arenaChunkBytes + int64(cap(a.filled))*4
}

// addChunk makes a chunk for a class whose chunks are full.
func (a *arena) addChunk(class uint8) (number uint32) {
	if a.nextNumber() == maxArenaChunks {
		panic("engine: a shard has no number left for another 16 KiB of keys")
	}
	number = a.addNumber(class)
	if number == uint32(len(a.chunks)) {
		a.chunks = append(a.chunks, arenaChunk{})
	}
	k := &a.classes[class]
	size := nextChunkBytes(class, k.bytes)
	k.bytes += int64(size)
	a.heap += int64(size)
	a.chunks[number] = arenaChunk{words: make([]uint32, size/4), size: uint16(arenaClassWords(class))}
	a.links[number].filled = uint32(len(a.filled))
	a.filled = append(a.filled, number)
	a.most = max(a.most, uint32(a.chunks[number].cells()))
	return number
}

// releaseChunk gives back a chunk without cells in use.
func (a *arena) releaseChunk(number uint32) {
	c := &a.chunks[number]
	class, size := c.class(), int64(len(c.words))*4
	a.holes -= int64(c.fresh) * int64(c.size) * 4
	a.classes[class].bytes -= size
	a.heap -= size
	place, last := a.links[number].filled, a.filled[len(a.filled)-1]
	a.filled[place] = last
	a.links[last].filled = place
	a.filled = a.filled[:len(a.filled)-1]
	*c = arenaChunk{}
	a.releaseNumber(class, number)
}
