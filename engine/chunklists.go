package engine

import "unsafe"

// chunkLists numbers the chunks of an arena or an elementTable, which give out cells
// of memory: a chunk has cells of one size class. It finds a chunk with an unused
// cell: those that have one are in the list of their class, doubly linked by their
// numbers.
type chunkLists struct {
	links   []chunkLink  // by number of the chunk
	classes []chunkClass // by size class
	spare   uint32       // first number without a chunk, +1; linked by chunkLink.next
}

// chunkLink is what is needed of a chunk only when it becomes full, or is not full
// any more, or comes or goes.
type chunkLink struct {
	next, prev uint32 // in its class's list of chunks with room, +1; 0: none
	filled     uint32 // its place in arena.filled; an elementTable has no such list
}

// chunkClass is the state of one size class.
type chunkClass struct {
	room  uint32 // first chunk with an unused cell, +1
	bytes int64  // of its chunks
}

// withRoom returns the number of a chunk of the class that has an unused cell. ok is
// false if none has.
func (l *chunkLists) withRoom(class uint8) (number uint32, ok bool) {
	if int(class) >= len(l.classes) {
		return 0, false
	}
	room := l.classes[class].room
	return room - 1, room != 0
}

// nextNumber returns the number that addNumber will give: one that is used again, or
// one more than the highest so far.
func (l *chunkLists) nextNumber() uint32 {
	if l.spare != 0 {
		return l.spare - 1
	}
	return uint32(len(l.links))
}

// addNumber numbers a chunk of the class, which has room.
func (l *chunkLists) addNumber(class uint8) (number uint32) {
	for int(class) >= len(l.classes) {
		l.classes = append(l.classes, chunkClass{})
	}
	number = l.nextNumber()
	if l.spare != 0 {
		l.spare = l.links[number].next
	} else {
		l.links = append(l.links, chunkLink{})
	}
	l.link(class, number)
	return number
}

// releaseNumber takes back the number of a chunk of the class, which has room.
func (l *chunkLists) releaseNumber(class uint8, number uint32) {
	l.unlink(class, number)
	l.links[number] = chunkLink{next: l.spare}
	l.spare = number + 1
}

// onlyRoom reports whether a chunk that has room is the only one of its class.
func (l *chunkLists) onlyRoom(number uint32) bool {
	return l.links[number].next == 0 && l.links[number].prev == 0
}

// link puts a chunk in front of the list of its class: it has room now.
func (l *chunkLists) link(class uint8, number uint32) {
	first := &l.classes[class].room
	l.links[number].prev, l.links[number].next = 0, *first
	if *first != 0 {
		l.links[*first-1].prev = number + 1
	}
	*first = number + 1
}

// unlink takes a chunk out of that list: it is full now, or goes.
func (l *chunkLists) unlink(class uint8, number uint32) {
	c := &l.links[number]
	if c.prev != 0 {
		l.links[c.prev-1].next = c.next
	} else {
		l.classes[class].room = c.next
	}
	if c.next != 0 {
		l.links[c.next-1].prev = c.prev
	}
	c.prev, c.next = 0, 0
}

// listBytes returns the memory that the lists use beside their own struct.
func (l *chunkLists) listBytes() int64 {
	return int64(cap(l.links))*int64(unsafe.Sizeof(chunkLink{})) + int64(cap(l.classes))*int64(unsafe.Sizeof(chunkClass{}))
}
