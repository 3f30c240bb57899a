package engine

import "unsafe"

// treeLeaf is the head of a block of memory without pointers that a leaf of a
// countedTree is:
//
//	n u32, room u32 | keys [room]u64 | refs [room]u32
//
// so that a search that comes to a leaf finds its length and its first keys in
// one cache line, and the collector has nothing to look at. keys are the sort
// keys of its n elements, refs their references.
type treeLeaf struct {
	n    uint32
	room uint32
}

const (
	treeLeafHead = 8
	treeLeafItem = 12
	treeLeafMax  = 63
	treeLeafFew  = treeLeafMax / 4 // a leaf with fewer looks for a neighbour to be merged with
	// What goes into one node of two must leave room: the next insert need not
	// split it again.
	treeLeafMerged = treeLeafMax * 3 / 4
)

// treeLeafRooms are the rooms that leaves have: those that fill the allocator's
// sizes best.
var treeLeafRooms = [...]uint32{4, 10, 20, 31, 42, 52, treeLeafMax}

func leafRoom(n int) uint32 {
	for _, room := range treeLeafRooms {
		if int(room) >= n {
			return room
		}
	}
	panic("engine: a leaf with too many elements")
}

func leafBytes(room uint32) int64 { return (treeLeafHead + treeLeafItem*int64(room) + 7) &^ 7 }

func newTreeLeaf(room uint32) *treeLeaf {
	memory := make([]uint64, leafBytes(room)/8)
	l := (*treeLeaf)(unsafe.Pointer(unsafe.SliceData(memory)))
	l.room = room
	return l
}

// keys returns the sort keys of the leaf, in ascending order.
func (l *treeLeaf) keys() []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Add(unsafe.Pointer(l), treeLeafHead)), l.n)
}

// refs returns the references of the leaf's elements.
func (l *treeLeaf) refs() []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Add(unsafe.Pointer(l), l.refAt(0))), l.n)
}

// refAt is where in the block the reference at a place is.
func (l *treeLeaf) refAt(place int) uintptr {
	return treeLeafHead + 8*uintptr(l.room) + 4*uintptr(place)
}

// insert puts an element in. REQUIRES: there is room.
func (l *treeLeaf) insert(place int, key uint64, ref uint32) {
	l.n++
	keys, refs := l.keys(), l.refs()
	copy(keys[place+1:], keys[place:])
	copy(refs[place+1:], refs[place:])
	keys[place], refs[place] = key, ref
}

// remove takes an element out.
func (l *treeLeaf) remove(place int) {
	keys, refs := l.keys(), l.refs()
	copy(keys[place:], keys[place+1:])
	copy(refs[place:], refs[place+1:])
	l.n--
}

// appendFrom appends what is in from at place and after. REQUIRES: there is room.
func (l *treeLeaf) appendFrom(from *treeLeaf, place int) {
	n := l.n
	l.n += from.n - uint32(place)
	copy(l.keys()[n:], from.keys()[place:])
	copy(l.refs()[n:], from.refs()[place:])
}

// treeInner is an inner node of a countedTree. It has, for each of its n kids, a
// key that none in the kid is below and none in the kids before is above, and the
// number of elements under the kid. The kids are *treeLeaf in the lowest inner
// nodes, *treeInner in the others.
type treeInner struct {
	n      int
	bounds [treeInnerMax]uint64
	counts [treeInnerMax]uint32
	kids   [treeInnerMax]unsafe.Pointer
}

const (
	treeInnerMax    = 63
	treeInnerFew    = treeInnerMax / 4
	treeInnerMerged = treeInnerMax * 3 / 4
	treeInnerBytes  = int64(unsafe.Sizeof(treeInner{}))
)

// count returns the number of elements under a node.
func (n *treeInner) count() (sum uint32) {
	for _, c := range n.counts[:n.n] {
		sum += c
	}
	return sum
}

// insert puts a kid in. REQUIRES: there is room.
func (n *treeInner) insert(place int, bound uint64, count uint32, kid unsafe.Pointer) {
	copy(n.bounds[place+1:], n.bounds[place:n.n])
	copy(n.counts[place+1:], n.counts[place:n.n])
	copy(n.kids[place+1:], n.kids[place:n.n])
	n.bounds[place], n.counts[place], n.kids[place] = bound, count, kid
	n.n++
}

// remove takes a kid out.
func (n *treeInner) remove(place int) {
	copy(n.bounds[place:], n.bounds[place+1:n.n])
	copy(n.counts[place:], n.counts[place+1:n.n])
	copy(n.kids[place:], n.kids[place+1:n.n])
	n.n--
	n.kids[n.n] = nil
}

// appendFrom moves what is in from at place and after to the end of n. REQUIRES:
// there is room.
func (n *treeInner) appendFrom(from *treeInner, place int) {
	copy(n.bounds[n.n:], from.bounds[place:from.n])
	copy(n.counts[n.n:], from.counts[place:from.n])
	copy(n.kids[n.n:], from.kids[place:from.n])
	n.n += from.n - place
	clear(from.kids[place:from.n])
	from.n = place
}

// kidAt returns the kid that the element at a position under n is in, and the
// position under that kid. It counts from the nearer end.
// REQUIRES: position < total, the number of elements under n.
func (n *treeInner) kidAt(position, total uint32) (kid int, rest uint32) {
	if position < total/2 {
		for position >= n.counts[kid] {
			position -= n.counts[kid]
			kid++
		}
		return kid, position
	}
	kid = n.n - 1
	before := total - n.counts[kid]
	for position < before {
		kid--
		before -= n.counts[kid]
	}
	return kid, position - before
}

// before returns the number of elements under the kids before one.
func (n *treeInner) before(kid int) (sum int) {
	for _, c := range n.counts[:kid] {
		sum += int(c)
	}
	return sum
}

// lowerBound returns the number of keys below key.
func lowerBound(keys []uint64, key uint64) int {
	lo, n := 0, len(keys)
	for n > 0 {
		half := n / 2
		if keys[lo+half] < key {
			lo += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	return lo
}

// lowerBoundNear is lowerBound of keys that are spread evenly from low to high:
// where one of them is can be told from how high it is, but for a few places.
func lowerBoundNear(keys []uint64, key, low, high uint64) int {
	place := guessPlace(len(keys), key, low, high)
	for place < len(keys) && keys[place] < key {
		place++
	}
	for place > 0 && keys[place-1] >= key {
		place--
	}
	return place
}

// guessPlace is about where key is among n keys that are spread evenly from low to high.
func guessPlace(n int, key, low, high uint64) int {
	switch {
	case key >= high:
		return n
	case key > low:
		return min(int(float64(key-low)/float64(high-low)*float64(n)), n)
	}
	return 0
}

// equalRun returns the end of the run of keys equal to key that begins at lo.
func equalRun(keys []uint64, key uint64, lo int) int {
	switch {
	case lo == len(keys) || keys[lo] != key:
		return lo
	case key == ^uint64(0):
		return len(keys)
	}
	return lo + lowerBound(keys[lo:], key+1)
}
