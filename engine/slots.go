package engine

import "math/bits"

// Slots are numbered from 0. Page 0 has slots [0,4), page p of 1..7 has slots
// [2<<p, 4<<p), and every later page has 512: a table of a few keys costs a few
// hundred bytes, and one of many wastes at most one page.
const (
	firstPageSlots = 4
	fullPageBits   = 9
	fullPageSlots  = 1 << fullPageBits
	fullPagesFrom  = 8 // number of the first page with fullPageSlots slots
)

const (
	slotPageBytes  = 32
	slotTableBytes = 240 // of an empty table
	entryBytes     = 48
	// emptyTableBytes is what a table without keys may keep.
	emptyTableBytes = 2048
)

// slotTable holds the entries of the keys of one shard of one keyspace, and the
// keys. An entry stays at its slot, and at its address, while it is in use.
// Guarded by the lock of its shard: at, key, used, cap, len and bytes may run at
// the same time as each other.
//
// Low slots are used first, so that the numbers in use stay dense; a page without
// entries is given back.
type slotTable struct {
	pages []slotPage
	room  pageSet // pages that have memory and an unused slot
	gone  pageSet // pages that were given back
	count int
	heap  int64 // bytes of the pages' entries
	keys  keyArena
}

// slotPage is a run of slots. entries is nil while the page is given back.
type slotPage struct {
	entries []entry
	free    uint16 // first slot in the page that was used and freed, +1; 0: none
	fresh   uint16 // slots from here on were never used
	used    uint16
}

// newSlotTable returns an empty table.
func newSlotTable() *slotTable { return &slotTable{} }

// pageOf returns the page of a slot and the slot's place in it.
func pageOf(slot uint32) (page, place uint32) {
	if slot >= fullPageSlots {
		return slot>>fullPageBits + fullPagesFrom - 1, slot & (fullPageSlots - 1)
	}
	page = uint32(bits.Len32(slot / firstPageSlots))
	return page, slot - pageBase(page)
}

// pageBase returns the first slot of a page.
func pageBase(page uint32) uint32 {
	switch {
	case page == 0:
		return 0
	case page < fullPagesFrom:
		return 2 << page
	default:
		return (page - fullPagesFrom + 1) << fullPageBits
	}
}

// pageSlots returns the number of slots of a page.
func pageSlots(page uint32) uint32 { return pageBase(page+1) - pageBase(page) }

// at returns the entry of a slot in use. The pointer is valid until the slot is
// freed.
func (t *slotTable) at(slot uint32) *entry {
	page, place := pageOf(slot)
	return &t.pages[page].entries[place]
}

// key returns the key of a slot in use, valid until the slot is freed.
func (t *slotTable) key(slot uint32) []byte {
	e := t.at(slot)
	return t.keys.get(e.keyRef, e.keyLen)
}

// used reports whether a slot is in use.
func (t *slotTable) used(slot uint32) bool {
	page, place := pageOf(slot)
	if int(page) >= len(t.pages) {
		return false
	}
	entries := t.pages[page].entries
	return entries != nil && entries[place].flags&flagUsed != 0
}

// len returns the number of slots in use.
func (t *slotTable) len() int { return t.count }

// cap returns a number above every slot in use.
func (t *slotTable) cap() uint32 {
	n := uint32(len(t.pages))
	if n == 0 {
		return 0
	}
	return pageBase(n-1) + uint32(t.pages[n-1].fresh)
}

// bytes returns the memory that the table uses, keys included.
func (t *slotTable) bytes() int64 {
	return slotTableBytes + int64(cap(t.pages))*slotPageBytes + int64(cap(t.room.words)+cap(t.gone.words))*8 + t.heap + t.keys.bytes()
}

// alloc takes an unused slot for key, which it copies, and returns its zeroed
// entry.
func (t *slotTable) alloc(key []byte) (slot uint32, e *entry) {
	page := t.pageWithRoom()
	p := &t.pages[page]
	var place uint16
	if p.free != 0 {
		place = p.free - 1
		p.free = uint16(p.entries[place].keyRef)
	} else {
		place = p.fresh
		p.fresh++
	}
	p.used++
	if uint32(p.used) == pageSlots(page) {
		t.room.remove(page)
	}
	t.count++
	e = &p.entries[place]
	*e = entry{flags: flagUsed, keyLen: uint32(len(key)), keyRef: t.keys.add(key)}
	return pageBase(page) + uint32(place), e
}

// pageWithRoom returns the lowest page that has memory and an unused slot, or
// makes one.
func (t *slotTable) pageWithRoom() uint32 {
	if page, ok := t.room.lowest(); ok {
		return page
	}
	page, ok := t.gone.lowest()
	if ok {
		t.gone.remove(page)
	} else {
		page = uint32(len(t.pages))
		t.pages = append(t.pages, slotPage{})
	}
	t.pages[page].entries = make([]entry, pageSlots(page))
	t.heap += int64(pageSlots(page)) * entryBytes
	t.room.add(page)
	return page
}

// free gives back a slot in use and its key.
func (t *slotTable) free(slot uint32) {
	page, place := pageOf(slot)
	p := &t.pages[page]
	e := &p.entries[place]
	t.keys.remove(e.keyRef, e.keyLen)
	*e = entry{keyRef: uint32(p.free)}
	p.free = uint16(place) + 1
	p.used--
	t.count--
	t.room.add(page)
	switch {
	case t.count == 0 && t.bytes() > emptyTableBytes:
		*t = slotTable{}
	case p.used == 0 && t.room.count > 1:
		// A page that is the only one with room is kept: the next key may need it.
		t.releasePage(page)
	}
}

// releasePage gives back the memory of a page without entries, and the pages
// at the end of the table that have none.
func (t *slotTable) releasePage(page uint32) {
	t.heap -= int64(pageSlots(page)) * entryBytes
	t.pages[page] = slotPage{}
	t.room.remove(page)
	t.gone.add(page)
	n := len(t.pages)
	for n > 0 && t.pages[n-1].entries == nil {
		n--
		t.gone.remove(uint32(n))
	}
	t.pages = t.pages[:n]
	if n*4 < cap(t.pages) {
		t.pages = append(make([]slotPage, 0, n*2), t.pages...)
	}
}

// pageSet is a set of page numbers.
type pageSet struct {
	words []uint64
	low   int // no word below this one is non-zero
	count int
}

// lowest returns the lowest number in the set.
func (s *pageSet) lowest() (page uint32, ok bool) {
	for ; s.low < len(s.words); s.low++ {
		if word := s.words[s.low]; word != 0 {
			return uint32(s.low*64 + bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}

// add puts page into the set.
func (s *pageSet) add(page uint32) {
	word := int(page / 64)
	for word >= len(s.words) {
		s.words = append(s.words, 0)
	}
	if bit := uint64(1) << (page % 64); s.words[word]&bit == 0 {
		s.words[word] |= bit
		s.count++
		s.low = min(s.low, word)
	}
}

// remove takes page, which is in the set, out of it.
func (s *pageSet) remove(page uint32) {
	s.words[page/64] &^= 1 << (page % 64)
	s.count--
}
