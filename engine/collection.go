package engine

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Collection is level 2 of the keydir: the ordered, counted set of the elements
// of one key. Every method is O(log n), and one that visits elements O(1) more
// for each. It is guarded by the lock of the shard that owns it; the exported
// methods only read, and may run at the same time as each other. Positions are
// counted from 0 in the collection's order. What a method calls must not write
// the collection.
type Collection struct {
	id   CollectionID
	seed uint64
	// shard is the number of the shard that owns the collection. RENAME changes it.
	shard atomic.Uint32
	// restored counts the elements that rollbacks put back, which may be in other cells
	// since then.
	restored uint32
	// counted is how many bytes of it are in DB.mem.
	counted atomic.Int64

	elems elementTable
	main  countedTree
	score countedTree // OrderScore alone
}

// Element is a copy of what the keydir holds for one element of a collection.
type Element struct {
	// Subkey is valid until the transaction ends or deletes the element. It must
	// not be changed.
	Subkey []byte
	// Size is the length of the value in bytes.
	Size int

	coll    CollectionID
	loc     location // where the record is; or the value itself if inline
	seq     uint64
	recFile uint16 // as entry.recFile
	inline  bool
}

// element is what the keydir holds for one element. It has no pointers and does
// not move while it lives: see elementTable.
type element struct {
	loc     location // as entry.loc
	seq     uint64
	size    uint32 // length of the value in bytes
	recFile uint16 // as entry.recFile
	bits    uint16 // elementInline; the rest is set and used by elementTable alone
}

// elementInline is as flagInline.
const elementInline uint16 = 1 << 15

func (e *element) inline() bool { return e.bits&elementInline != 0 }

// newCollection returns an empty collection. seed is that of the database's hash.
func newCollection(id CollectionID, seed uint64) *Collection {
	c := &Collection{id: id, seed: seed}
	c.main.elems = &c.elems
	c.main.even = id.Order() != OrderBytes
	c.score.elems = &c.elems
	return c
}

// sortKey returns the number by which the main order sorts a subkey first.
func (c *Collection) sortKey(subkey []byte) uint64 {
	if c.id.Order() == OrderBytes {
		return uint64(inlineLocation(subkey[:min(len(subkey), 8)]))
	}
	return hashSubkey(c.seed, subkey)
}

// scoreKey returns the number by which the order by value sorts a value first: the
// value itself, but that the two in the middle are equal. Of floating-point numbers
// made comparable these are -0 and 0.
func scoreKey(value location) uint64 {
	if value == 1<<63-1 {
		return 1 << 63
	}
	return uint64(value)
}

// find returns the element with a subkey, or nil. The pointer is valid until the
// element is deleted. What it points to may be changed, except the loc of an
// element in OrderScore, and its subkey.
func (c *Collection) find(subkey []byte) *element {
	ref, ok := c.main.find(c.sortKey(subkey), subkey)
	if !ok {
		return nil
	}
	return c.elems.at(ref)
}

// spot is where an element is in a collection, or where it belongs. It is valid
// until the collection changes.
type spot struct {
	key  uint64 // sortKey of the subkey
	elem *element
	ref  uint32
	path treePath // in Collection.main
}

// search finds the spot of a subkey; elem is nil if there is no such element.
func (c *Collection) search(s *spot, subkey []byte) {
	s.key, s.elem = c.sortKey(subkey), nil
	if c.main.search(&s.path, s.key, subkey) {
		s.ref = s.path.ref()
		s.elem = c.elems.at(s.ref)
	}
}

// put writes v as the element with a subkey, which is copied if it is new. With
// OrderScore, v.loc must be inlineLocation of the value. It returns the element,
// as find does, and whether it is new.
func (c *Collection) put(subkey []byte, v element) (e *element, isNew bool) {
	var s spot
	c.search(&s, subkey)
	return c.putAt(&s, subkey, &v), s.elem == nil
}

// putAt is put at the spot of the subkey.
func (c *Collection) putAt(s *spot, subkey []byte, v *element) *element {
	if e := s.elem; e != nil {
		if c.id.Order() == OrderScore && scoreKey(e.loc) != scoreKey(v.loc) {
			c.score.replace(scoreKey(e.loc), scoreKey(v.loc), subkey, s.ref)
		}
		was := e.bits &^ elementInline
		*e = *v
		e.bits = v.bits&elementInline | was
		return e
	}
	ref, e := c.elems.add(v, subkey)
	c.main.insertAt(&s.path, s.key, ref)
	if c.id.Order() == OrderScore {
		c.score.insert(scoreKey(v.loc), subkey, ref)
	}
	return e
}

// delete removes an element. It reports whether it existed. subkey may be the
// Subkey of the element itself.
func (c *Collection) delete(subkey []byte) bool {
	var s spot
	c.search(&s, subkey)
	if s.elem == nil {
		return false
	}
	c.deleteAt(&s, subkey)
	return true
}

// deleteAt is delete at the spot of the subkey.
func (c *Collection) deleteAt(s *spot, subkey []byte) {
	if c.id.Order() == OrderScore {
		c.score.remove(scoreKey(s.elem.loc), subkey)
	}
	c.main.removeAt(&s.path)
	c.release(s.ref)
}

// release frees an element that is in no tree any more.
func (c *Collection) release(ref uint32) {
	c.elems.free(ref)
	if c.main.size == 0 {
		c.elems = elementTable{}
	}
}

// bytes returns the memory that the collection uses.
func (c *Collection) bytes() int64 {
	return int64(unsafe.Sizeof(*c)) + c.elems.bytes() + c.main.heap + c.score.heap
}

// hashSubkey is the hash of OrderHash. Scan cursors are hashes and clients keep
// them over a restart: it must not change. Without the seed nobody can choose
// subkeys that collide.
func hashSubkey(seed uint64, subkey []byte) uint64 {
	const k0, k1, k2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0xa0761d6478bd642f
	h := fold(seed^k0, uint64(len(subkey))^k1)
	rest := subkey
	for ; len(rest) > 16; rest = rest[16:] {
		h = fold(binary.LittleEndian.Uint64(rest)^k1^h, binary.LittleEndian.Uint64(rest[8:])^seed)
	}
	// The last 1 to 16 bytes, read as two words that may overlap.
	var a, b uint64
	switch n := len(rest); {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(rest)), uint64(binary.LittleEndian.Uint32(rest[n-4:]))
	case n > 0:
		a = uint64(rest[0]) | uint64(rest[n/2])<<8 | uint64(rest[n-1])<<16
	}
	return fold(fold(a^k2^h, b^k1^seed), k2^h)
}

// fold multiplies two words and mixes the halves of the product.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func (c *Collection) element(ref uint32) (e Element) {
	c.read(&e, ref)
	return e
}

// read makes to a copy of the element of a reference.
func (c *Collection) read(to *Element, ref uint32) {
	e := c.elems.at(ref)
	to.Subkey, to.Size = c.elems.subkeyOf(e), int(e.size)
	to.coll, to.loc, to.seq, to.recFile, to.inline = c.id, e.loc, e.seq, e.recFile, e.inline()
}

// ID returns the identity of the collection.
func (c *Collection) ID() CollectionID { return c.id }

// Len returns the number of elements.
func (c *Collection) Len() int { return c.main.size }

// At returns the element at position i.
// REQUIRES: 0 <= i < Len.
func (c *Collection) At(i int) Element {
	ref := c.main.at(i)
	return c.element(ref)
}

// Rank returns the position of an element. If there is none with that subkey,
// it returns the position that it would have, and false.
func (c *Collection) Rank(subkey []byte) (int, bool) {
	return c.main.rank(c.sortKey(subkey), subkey)
}

// AscendAt calls fn for the elements from position i on, in ascending order, until fn
// returns false.
func (c *Collection) AscendAt(i int, fn func(e Element) bool) {
	c.main.ascend(i, func(_ uint64, ref uint32) bool { return fn(c.element(ref)) })
}

// AscendHash calls fn for the elements whose hash is at least from, in ascending
// order of their hashes, until fn returns false. The hash of an element never
// changes, so a scan that stops between two different hashes and goes on from
// the last one +1 (which is 0 only after the highest, the end) meets every
// element that is there all the time exactly once, whatever is written meanwhile.
// REQUIRES: OrderHash or OrderScore.
func (c *Collection) AscendHash(from uint64, fn func(hash uint64, e Element) bool) {
	// No subkey is below the empty one: this is the first element of that hash.
	i, _ := c.main.rank(from, nil)
	c.main.ascend(i, func(hash uint64, ref uint32) bool { return fn(hash, c.element(ref)) })
}

// AtScore is At in the order by value. REQUIRES: OrderScore, 0 <= i < Len.
func (c *Collection) AtScore(i int) Element {
	ref := c.score.at(i)
	return c.element(ref)
}

// RankScore is Rank in the order by value and subkey: value is 8 bytes.
// REQUIRES: OrderScore.
func (c *Collection) RankScore(value, subkey []byte) (int, bool) {
	return c.score.rank(scoreKey(inlineLocation(value)), subkey)
}

// AscendScoreAt is AscendAt in the order by value and subkey. REQUIRES: OrderScore.
func (c *Collection) AscendScoreAt(i int, fn func(e Element) bool) {
	c.score.ascend(i, func(_ uint64, ref uint32) bool { return fn(c.element(ref)) })
}

// Value returns the value of an element that the keydir holds itself, which is
// so for values of up to 8 bytes; ok is false for the others.
func (e *Element) Value() (value [8]byte, ok bool) {
	binary.BigEndian.PutUint64(value[:], uint64(e.loc))
	return value, e.inline
}
