package engine

import "math/bits"

// artRef refers to a node, or to a leaf: 0 is none; with artLeaf set, the rest is
// the number of a slot; else it is the number of the node's cell, +1.
type artRef uint32

const artLeaf artRef = 1 << 31

func (r artRef) slot() uint32 { return uint32(r &^ artLeaf) }

// artNode is a node, a cell of an arena. Its length says what kind of node it is:
//
//	0      header: the number of children in the lowest 9 bits, then artHasOwn,
//	       artIsLong, and above them how many bytes all keys below share from where
//	       the node begins
//	1 ...  the bytes that lead to the children, in order, from lower to higher
//	       bytes of the words
//	...    references to the children, in the order of their bytes
//	last   with artHasOwn, reference to the leaf of the key that ends here
//
// and with artIsLong the number of shared bytes is in a word of its own, the last
// or the last but one. Both are rare, and take the place of a child. The largest
// kind has no bytes, but a reference, or 0, for each byte there is.
type artNode []uint32

const (
	artCountMask   = 1<<9 - 1
	artHasOwn      = 1 << 9
	artIsLongShift = 10
	artIsLong      = 1 << artIsLongShift
	artSharedShift = 11
	artSharedMax   = 1<<(32-artSharedShift) - 1

	artKinds     = 14
	artBiggest   = artKinds - 1
	artMostWords = 288 // of the largest kind: 1 + 256 + 2, and what its size class has
)

// artWords is the length of a node of each kind. Each is a size class of the arena.
// Most nodes are at the bottom of the tree and have few children, so there the kinds
// lie close together.
var artWords = [artKinds]uint16{4, 5, 6, 8, 9, 11, 14, 16, 21, 26, 36, 48, 64, artMostWords}

// artLayout is what follows from the length of a node.
type artLayout struct {
	kind uint8
	room uint8 // how many children, own leaf and so on it has room for
	kids uint8 // place of the first reference to a child
}

// artLayouts has the layout of the nodes of a length of up to 64 words.
var artLayouts = makeArtLayouts()

func makeArtLayouts() (layouts [65]artLayout) {
	for kind, words := range artWords[:artBiggest] {
		room := (int(words) - 1) * 4 / 5
		layouts[words] = artLayout{kind: uint8(kind), room: uint8(room), kids: uint8(1 + (room+3)/4)}
	}
	return layouts
}

// artRoom returns how many children and other references a kind has room for.
func artRoom(kind int) int {
	if kind == artBiggest {
		return 258
	}
	return int(artLayouts[artWords[kind]].room)
}

func (n artNode) biggest() bool { return len(n) == artMostWords }

// kind returns the number of the kind of a node.
func (n artNode) kind() int {
	if n.biggest() {
		return artBiggest
	}
	return int(artLayouts[len(n)&127].kind)
}

// count returns the number of children.
func (n artNode) count() int { return int(n[0] & artCountMask) }

// extra returns how many references a node has beside those to its children.
func (n artNode) extra() int { return int(n[0]>>9&1 + n[0]>>10&1) }

// kids returns the words of the references to the children, and what is behind.
func (n artNode) kids() []uint32 {
	if n.biggest() {
		return n[1:]
	}
	return n[artLayouts[len(n)&127].kids:]
}

// shared returns how many bytes all keys below share from where the node begins.
func (n artNode) shared() uint32 {
	if n[0]&artIsLong != 0 {
		return n[n.longAt()]
	}
	return n[0] >> artSharedShift
}

// longAt is where the number of shared bytes is, if it is long.
func (n artNode) longAt() int { return len(n) - 1 - int(n[0]>>9&1) }

// own returns the leaf of the key that ends here, or 0.
func (n artNode) own() artRef {
	if n[0]&artHasOwn == 0 {
		return 0
	}
	return artRef(n[len(n)-1])
}

// byteAt returns the byte of child i of a node that is not of the largest kind.
func (n artNode) byteAt(i int) byte { return byte(n[1+i/4] >> (i % 4 * 8)) }

func (n artNode) setByte(i int, b byte) {
	word, shift := &n[1+i/4], i%4*8
	*word = *word&^(0xff<<shift) | uint32(b)<<shift
}

// find returns the place of b among the bytes of a node that is not of the largest
// kind, or -1. It looks at four bytes at a time: a byte of x is 0 where the word has
// b, and the lowest bit that is set in the result is for the first.
func (n artNode) find(b byte) int {
	const ones = 0x01010101
	count := n.count()
	pattern := uint32(b) * ones
	for i := 0; i < count; i += 4 {
		x := n[1+i/4] ^ pattern
		if zero := (x - ones) &^ x & (ones << 7); zero != 0 {
			if i += bits.TrailingZeros32(zero) / 8; i < count {
				return i
			}
			return -1
		}
	}
	return -1
}

// child returns the child that byte b leads to, or 0.
func (n artNode) child(b byte) artRef {
	if n.biggest() {
		return artRef(n[1+int(b)])
	}
	i := n.find(b)
	if i < 0 {
		return 0
	}
	return artRef(n[int(artLayouts[len(n)&127].kids)+i])
}

// childLink returns where the reference to that child is, or nil.
func (n artNode) childLink(b byte) *uint32 {
	if n.biggest() {
		if link := &n[1+int(b)]; *link != 0 {
			return link
		}
		return nil
	}
	i := n.find(b)
	if i < 0 {
		return nil
	}
	return &n.kids()[i]
}

// anyChild returns a child of the node, or its own leaf.
func (n artNode) anyChild() artRef {
	if own := n.own(); own != 0 {
		return own
	}
	for _, kid := range n.kids() {
		if kid != 0 {
			return artRef(kid)
		}
	}
	return 0
}

// each calls fn for the children in ascending or descending order of their bytes
// until fn returns false, and reports whether it never did.
func (n artNode) each(down bool, fn func(b byte, child artRef) bool) bool {
	kids := n.kids()
	biggest := n.biggest()
	places := n.count()
	if biggest {
		places = 256
	}
	for i := range places {
		if down {
			i = places - 1 - i
		}
		if kids[i] == 0 {
			continue
		}
		b := byte(i)
		if !biggest {
			b = n.byteAt(i)
		}
		if !fn(b, artRef(kids[i])) {
			return false
		}
	}
	return true
}

// artNodes holds the nodes of a tree.
type artNodes struct{ cells arena }

// bytes returns the memory that the nodes use beside artNodes itself, and freed how
// much of that is places of nodes that are gone.
func (a *artNodes) bytes() int64 { return a.cells.bytes() }

func (a *artNodes) freed() int64 { return a.cells.holes }

// at returns a node.
func (a *artNodes) at(ref artRef) artNode { return a.cells.words(uint32(ref - 1)) }

// make returns a new node of a kind, without children.
func (a *artNodes) make(kind int) (artRef, artNode) {
	ref := artRef(a.cells.alloc(arenaClassOf(int(artWords[kind]))) + 1)
	n := a.at(ref)
	clear(n)
	return ref, n
}

// free gives a node back.
func (a *artNodes) free(ref artRef) { a.cells.free(uint32(ref - 1)) }

// withRoom returns the reference to a node with room for one more child or other
// reference: to ref, or to a larger one in its place.
func (a *artNodes) withRoom(ref artRef) (artRef, artNode) {
	n := a.at(ref)
	if kind := n.kind(); n.count()+n.extra() == artRoom(kind) {
		ref = a.convert(ref, kind+1)
		n = a.at(ref)
	}
	return ref, n
}

// addChild adds a child that byte b leads to, which the node has none for, and
// returns the reference to the node, which is another one if it had to grow.
func (a *artNodes) addChild(ref artRef, b byte, child artRef) artRef {
	ref, n := a.withRoom(ref)
	kids := n.kids()
	i := n.count()
	n[0]++
	if n.biggest() {
		kids[b] = uint32(child)
		return ref
	}
	for ; i > 0 && n.byteAt(i-1) > b; i-- {
		n.setByte(i, n.byteAt(i-1))
		kids[i] = kids[i-1]
	}
	n.setByte(i, b)
	kids[i] = uint32(child)
	return ref
}

// setPair makes of an empty node of the smallest kind one with two children.
func (n artNode) setPair(shared uint32, b1, b2 byte, child1, child2 artRef) {
	if b1 > b2 {
		b1, b2, child1, child2 = b2, b1, child2, child1
	}
	n[0] = shared<<artSharedShift | 2
	n[1] = uint32(b1) | uint32(b2)<<8
	n[2], n[3] = uint32(child1), uint32(child2)
}

// removeChild takes the child out that byte b leads to. It does not free it.
func (a *artNodes) removeChild(ref artRef, b byte) {
	n := a.at(ref)
	kids := n.kids()
	if n.biggest() {
		kids[b] = 0
		n[0]--
		return
	}
	last := n.count() - 1
	for i := n.find(b); i < last; i++ {
		n.setByte(i, n.byteAt(i+1))
		kids[i] = kids[i+1]
	}
	kids[last] = 0
	n[0]--
}

// addOwn gives a node that has none an own leaf, and returns the reference to it.
func (a *artNodes) addOwn(ref, leaf artRef) artRef {
	ref, n := a.withRoom(ref)
	if n[0]&artIsLong != 0 {
		n[len(n)-2] = n[len(n)-1]
	}
	n[0] |= artHasOwn
	n[len(n)-1] = uint32(leaf)
	return ref
}

// removeOwn takes the own leaf out.
func (n artNode) removeOwn() {
	n[0] &^= artHasOwn
	n[len(n)-1] = 0
	if n[0]&artIsLong != 0 {
		n[len(n)-1], n[len(n)-2] = n[len(n)-2], 0
	}
}

// setShared changes how many bytes the keys below share, and returns the reference
// to the node.
func (a *artNodes) setShared(ref artRef, shared uint32) artRef {
	n := a.at(ref)
	if n[0]&artIsLong != 0 {
		n[n.longAt()] = 0
		n[0] &^= artIsLong
	}
	n[0] &= 1<<artSharedShift - 1
	if shared < artSharedMax {
		n[0] |= shared << artSharedShift
		return ref
	}
	ref, n = a.withRoom(ref)
	n[0] |= artIsLong
	n[n.longAt()] = shared
	return ref
}

// convert moves a node to another kind, with room for what it has, and returns the
// reference to it.
func (a *artNodes) convert(ref artRef, kind int) artRef {
	from := a.at(ref)
	to, n := a.make(kind)
	n[0] = from[0]
	copy(n[len(n)-from.extra():], from[len(from)-from.extra():])
	kids, i := n.kids(), 0
	biggest := n.biggest()
	if !biggest && !from.biggest() {
		// Bytes that are nobody's may come with the others: count says so.
		copy(n[1:len(n)-len(kids)], from[1:len(from)-len(from.kids())])
		copy(kids[:n.count()], from.kids())
		a.free(ref)
		return to
	}
	from.each(false, func(b byte, child artRef) bool {
		if biggest {
			kids[b] = uint32(child)
		} else {
			n.setByte(i, b)
			kids[i] = uint32(child)
		}
		i++
		return true
	})
	a.free(ref)
	return to
}

// shrink makes a node that lost a child or its own leaf smaller if it should be,
// and returns the reference to what is in its place: it may be its only child. A
// node becomes one of the kind below only when there would be room in the one below
// that, so that a key put and deleted again and again does not move it each time.
func (a *artNodes) shrink(ref artRef) artRef {
	n := a.at(ref)
	count := n.count()
	kind := n.kind()
	switch {
	case count == 0:
		own := n.own()
		a.free(ref)
		return own
	case count == 1 && n.own() == 0:
		child := n.anyChild()
		if child&artLeaf == 0 {
			child = a.setShared(child, a.at(child).shared()+n.shared()+1)
		}
		a.free(ref)
		return child
	case kind >= 2 && count+n.extra() <= artRoom(kind-2):
		return a.convert(ref, kind-1)
	}
	return ref
}
