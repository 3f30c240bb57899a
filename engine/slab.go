package engine

import (
	"math/bits"
	"unsafe"
)

// Places of a slab are numbered from 0. Page 0 has the places [0,4), page p of
// 1..5 has [2<<p, 4<<p), and every later page has 128: a slab of a few values
// costs a few hundred bytes, and one of many wastes at most a page.
const (
	firstPagePlaces = 4
	fullPageBits    = 7
	fullPagePlaces  = 1 << fullPageBits
	fullPagesFrom   = 6 // number of the first page with fullPagePlaces places
)

// slab keeps values of one type at numbered places, where they do not move while
// they are in use. If T has no pointers, the garbage collector sees one object a
// page. Low places are used first, so that the numbers stay dense; a page without
// values is given back. (Values do not move, so that a few that are left all over a
// slab keep most of it.)
//
// at and bytes may run at the same time as each other.
type slab[T any] struct {
	pages []slabPage[T]
	room  pageSet // pages that have memory and an unused place
	gone  pageSet // pages that were given back
	count int
	holes int   // places that were used and freed; no more than there are unused ones
	heap  int64 // bytes of the pages' items
}

// slabPage is a run of places. items is nil while the page is given back.
type slabPage[T any] struct {
	items []T
	used  [fullPagePlaces / 64]uint64
}

const slabPageBytes = 24 + fullPagePlaces/8

// pageOf returns the page of a number and the place in it.
func pageOf(number uint32) (page, place uint32) {
	if number >= fullPagePlaces {
		return number>>fullPageBits + fullPagesFrom - 1, number & (fullPagePlaces - 1)
	}
	page = uint32(bits.Len32(number / firstPagePlaces))
	return page, number - pageBase(page)
}

// pageBase returns the first number of a page.
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

// pagePlaces returns the number of places of a page.
func pagePlaces(page uint32) uint32 { return pageBase(page+1) - pageBase(page) }

// at returns the value of a number in use. The pointer is valid until the number
// is freed.
func (s *slab[T]) at(number uint32) *T {
	page, place := pageOf(number)
	return &s.pages[page].items[place]
}

// bytes returns the memory that the slab uses beside its own struct.
func (s *slab[T]) bytes() int64 {
	return s.heap + int64(cap(s.pages))*slabPageBytes + int64(cap(s.room.words)+cap(s.gone.words))*8
}

// freed returns how much of bytes is places that were used and freed, not counting
// those that never were.
func (s *slab[T]) freed() int64 {
	var item T
	return int64(s.holes) * int64(unsafe.Sizeof(item))
}

// alloc takes an unused number and returns it and its zeroed value.
func (s *slab[T]) alloc() (number uint32, value *T) {
	page := s.pageWithRoom()
	p := &s.pages[page]
	w := 0
	for ^p.used[w] == 0 {
		w++
	}
	place := uint32(w*64 + bits.TrailingZeros64(^p.used[w]))
	p.used[w] |= 1 << (place % 64)
	if p.count() == len(p.items) {
		s.room.remove(page)
	}
	s.count++
	s.holes = max(s.holes-1, 0) // low places are used first, and were before
	return pageBase(page) + place, &p.items[place]
}

// count returns the number of values in a page.
func (p *slabPage[T]) count() int {
	n := 0
	for _, word := range p.used {
		n += bits.OnesCount64(word)
	}
	return n
}

// pageWithRoom returns the lowest page that has memory and an unused place, or
// makes one.
func (s *slab[T]) pageWithRoom() uint32 {
	if page, ok := s.room.lowest(); ok {
		return page
	}
	s.holes = 0 // what allocs do not fill first is estimated: now it is known
	page, ok := s.gone.lowest()
	if ok {
		s.gone.remove(page)
	} else {
		page = uint32(len(s.pages))
		s.pages = append(s.pages, slabPage[T]{})
	}
	s.pages[page].items = make([]T, pagePlaces(page))
	s.heap += s.itemBytes(page)
	s.room.add(page)
	return page
}

// itemBytes returns the memory of the values of a page.
func (s *slab[T]) itemBytes(page uint32) int64 {
	var item T
	return int64(pagePlaces(page)) * int64(unsafe.Sizeof(item))
}

// free gives back a number in use.
func (s *slab[T]) free(number uint32) {
	page, place := pageOf(number)
	p := &s.pages[page]
	var zero T
	p.items[place] = zero
	p.used[place/64] &^= 1 << (place % 64)
	s.count--
	s.holes++
	s.room.add(page)
	// A page that is the only one with room is kept: the next value may need it.
	if p.count() == 0 && s.room.count > 1 {
		s.releasePage(page)
	}
}

// releasePage gives back the memory of a page without values, and the pages at
// the end that have none.
func (s *slab[T]) releasePage(page uint32) {
	s.heap -= s.itemBytes(page)
	s.holes = max(s.holes-int(pagePlaces(page)), 0)
	s.pages[page] = slabPage[T]{}
	s.room.remove(page)
	s.gone.add(page)
	n := len(s.pages)
	for n > 0 && s.pages[n-1].items == nil {
		n--
		s.gone.remove(uint32(n))
	}
	s.pages = s.pages[:n]
	if n*4 < cap(s.pages) {
		s.pages = append(make([]slabPage[T], 0, n*2), s.pages...)
	}
}

// pageSet is a set of page numbers.
type pageSet struct {
	words []uint64
	low   uint32 // no word below this one is non-zero
	count uint32
}

// lowest returns the lowest number in the set.
func (s *pageSet) lowest() (page uint32, ok bool) {
	for ; int(s.low) < len(s.words); s.low++ {
		if word := s.words[s.low]; word != 0 {
			return s.low*64 + uint32(bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}

// add puts page into the set, if it is not there.
func (s *pageSet) add(page uint32) {
	word := page / 64
	for int(word) >= len(s.words) {
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
