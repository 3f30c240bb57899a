package engine

import (
	"math/bits"
	"unsafe"
)

// artRef refers to a node, or to a leaf: 0 is none; with artLeaf set, the rest is
// the number of a slot; else artIndexBits of number in the slab of its kind, +1,
// and the kind above them.
type artRef uint32

const (
	artLeaf      artRef = 1 << 31
	artIndexBits        = 28
)

// A node is an array of 32-bit words:
//
//	0      artShared: how many bytes all keys below share from where it begins
//	1      artOwn: reference to the leaf of the key that ends there, or 0
//	2 ...  the number of children in the lowest byte, then their bytes, in order,
//	       from lower to higher bytes of the words
//	...    references to the children, in the order of their bytes
//
// but the largest kind, that has a reference, or 0, for each byte:
//
//	2      the number of children
//	3 ...  references to the children
//
// The capacities are such that the number and the bytes fill words, and that
// digits, hexadecimal digits and letters have a kind that fits them.
const (
	artShared  = 0
	artOwn     = 1
	artCount   = 2
	artKinds   = 6
	artBiggest = artKinds - 1
)

var (
	// artCapacity is the number of children that a kind has room for.
	artCapacity = [artKinds]int{3, 7, 11, 19, 47, 256}
	// artKids is the place of the first reference to a child.
	artKids = [8]uint8{3, 4, 5, 7, 14, 3}
	// artShrink is the number of children at which a node becomes one of the
	// kind below: less than its capacity, so that a key put and deleted again and
	// again does not change the kind each time.
	artShrink = [artKinds]int{-1, 2, 5, 9, 16, 40}
)

// artNodes holds the nodes of a tree.
type artNodes struct {
	n3    slab[[6]uint32]
	n7    slab[[11]uint32]
	n11   slab[[16]uint32]
	n19   slab[[26]uint32]
	large *artLargeNodes // nil until there is one
}

// artLargeNodes are apart, for most small trees have none.
type artLargeNodes struct {
	n47  slab[[61]uint32]
	n256 slab[[259]uint32]
}

func (r artRef) slot() uint32  { return uint32(r &^ artLeaf) }
func (r artRef) kind() int     { return int(r >> artIndexBits) }
func (r artRef) index() uint32 { return uint32(r)&(1<<artIndexBits-1) - 1 }

// bytes returns the memory that the nodes use beside artNodes itself.
func (a *artNodes) bytes() int64 {
	sum := a.n3.bytes() + a.n7.bytes() + a.n11.bytes() + a.n19.bytes()
	if a.large != nil {
		sum += int64(unsafe.Sizeof(*a.large)) + a.large.n47.bytes() + a.large.n256.bytes()
	}
	return sum
}

// freed returns how much of bytes is places of nodes that are gone.
func (a *artNodes) freed() int64 {
	sum := a.n3.freed() + a.n7.freed() + a.n11.freed() + a.n19.freed()
	if a.large != nil {
		sum += a.large.n47.freed() + a.large.n256.freed()
	}
	return sum
}

// at returns the words of a node.
func (a *artNodes) at(ref artRef) []uint32 {
	switch ref.kind() {
	case 0:
		return a.n3.at(ref.index())[:]
	case 1:
		return a.n7.at(ref.index())[:]
	case 2:
		return a.n11.at(ref.index())[:]
	case 3:
		return a.n19.at(ref.index())[:]
	case 4:
		return a.large.n47.at(ref.index())[:]
	default:
		return a.large.n256.at(ref.index())[:]
	}
}

// make returns a new node of a kind, without children.
func (a *artNodes) make(kind int) (artRef, []uint32) {
	var number uint32
	if kind >= 4 && a.large == nil {
		a.large = &artLargeNodes{}
	}
	switch kind {
	case 0:
		number, _ = a.n3.alloc()
	case 1:
		number, _ = a.n7.alloc()
	case 2:
		number, _ = a.n11.alloc()
	case 3:
		number, _ = a.n19.alloc()
	case 4:
		number, _ = a.large.n47.alloc()
	default:
		number, _ = a.large.n256.alloc()
	}
	ref := artRef(kind)<<artIndexBits | artRef(number+1)
	return ref, a.at(ref)
}

// free gives a node back.
func (a *artNodes) free(ref artRef) {
	switch ref.kind() {
	case 0:
		a.n3.free(ref.index())
	case 1:
		a.n7.free(ref.index())
	case 2:
		a.n11.free(ref.index())
	case 3:
		a.n19.free(ref.index())
	case 4:
		a.large.n47.free(ref.index())
	default:
		a.large.n256.free(ref.index())
	}
}

// children returns the number of children of node n.
func (r artRef) children(n []uint32) int {
	if r.kind() == artBiggest {
		return int(n[artCount])
	}
	return int(n[artCount] & 0xff)
}

// artByte returns the byte of child i of a node that is not of the largest kind.
func artByte(n []uint32, i int) byte { return byte(n[artCount+(i+1)/4] >> ((i + 1) % 4 * 8)) }

func setArtByte(n []uint32, i int, b byte) {
	word, shift := &n[artCount+(i+1)/4], (i+1)%4*8
	*word = *word&^(0xff<<shift) | uint32(b)<<shift
}

// findArtByte returns the place of b among the bytes of a node that is not of the
// largest kind, or -1. It looks at four bytes at a time: a byte of x is 0 where
// the word has b, and the lowest bit that is set in the result is for the first.
func findArtByte(n []uint32, b byte) int {
	const ones = 0x01010101
	children := int(n[artCount] & 0xff)
	pattern := uint32(b) * ones
	x := (n[artCount] ^ pattern) | 0xff // the lowest byte is the number of children
	for i := -1; ; {
		if zero := (x - ones) &^ x & (ones << 7); zero != 0 {
			i += bits.TrailingZeros32(zero) / 8
			if i < children {
				return i
			}
			return -1
		}
		if i += 4; i >= children {
			return -1
		}
		x = n[artCount+(i+1)/4] ^ pattern
	}
}

// child returns the child of node n that byte b leads to, or 0.
func (r artRef) child(n []uint32, b byte) artRef {
	if link := r.childLink(n, b); link != nil {
		return artRef(*link)
	}
	return 0
}

// childLink returns where the reference to that child is, or nil.
func (r artRef) childLink(n []uint32, b byte) *uint32 {
	kids := int(artKids[r.kind()&7])
	if r.kind() == artBiggest {
		if link := &n[kids+int(b)]; *link != 0 {
			return link
		}
		return nil
	}
	i := findArtByte(n, b)
	if i < 0 {
		return nil
	}
	return &n[kids+i]
}

// anyChild returns a child of node n, or its own leaf.
func (r artRef) anyChild(n []uint32) artRef {
	if n[artOwn] != 0 {
		return artRef(n[artOwn])
	}
	for _, kid := range n[artKids[r.kind()]:] {
		if kid != 0 {
			return artRef(kid)
		}
	}
	return 0
}

// addChild adds a child that byte b leads to, which n has none for, and returns
// the reference to the node, which is another one if it had to grow.
func (a *artNodes) addChild(ref artRef, b byte, child artRef) artRef {
	n := a.at(ref)
	count := ref.children(n)
	kind := ref.kind()
	if count == artCapacity[kind] {
		ref = a.convert(ref, kind+1)
		n, kind = a.at(ref), kind+1
	}
	kids := n[artKids[kind]:]
	if kind == artBiggest {
		kids[b] = uint32(child)
		n[artCount]++
		return ref
	}
	i := count
	for ; i > 0 && artByte(n, i-1) > b; i-- {
		setArtByte(n, i, artByte(n, i-1))
		kids[i] = kids[i-1]
	}
	setArtByte(n, i, b)
	kids[i] = uint32(child)
	n[artCount]++
	return ref
}

// removeChild takes the child out that byte b leads to. It does not free it.
func (a *artNodes) removeChild(ref artRef, b byte) {
	n := a.at(ref)
	kids := n[artKids[ref.kind()]:]
	if ref.kind() == artBiggest {
		kids[b] = 0
		n[artCount]--
		return
	}
	last := ref.children(n) - 1
	for i := findArtByte(n, b); i < last; i++ {
		setArtByte(n, i, artByte(n, i+1))
		kids[i] = kids[i+1]
	}
	kids[last] = 0
	n[artCount]--
}

// convert moves a node to another kind, with room for its children, and returns
// the reference to it.
func (a *artNodes) convert(ref artRef, kind int) artRef {
	from := a.at(ref)
	to, n := a.make(kind)
	n[artShared], n[artOwn] = from[artShared], from[artOwn]
	i := 0
	ref.each(from, false, func(b byte, child artRef) bool {
		if kind == artBiggest {
			n[int(artKids[kind])+int(b)] = uint32(child)
		} else {
			setArtByte(n, i, b)
			n[int(artKids[kind])+i] = uint32(child)
		}
		i++
		return true
	})
	n[artCount] += uint32(i)
	a.free(ref)
	return to
}

// shrink makes a node that lost a child or its own leaf smaller if it should be,
// and returns the reference to what is in its place: it may be its only child.
func (a *artNodes) shrink(ref artRef) artRef {
	n := a.at(ref)
	count := ref.children(n)
	kind := ref.kind()
	switch {
	case count == 0:
		own := artRef(n[artOwn])
		a.free(ref)
		return own
	case count == 1 && n[artOwn] == 0:
		child := ref.anyChild(n)
		if child&artLeaf == 0 {
			a.at(child)[artShared] += n[artShared] + 1
		}
		a.free(ref)
		return child
	case count <= artShrink[kind]:
		return a.convert(ref, kind-1)
	}
	return ref
}

// each calls fn for the children of node n in ascending or descending order of
// their bytes until fn returns false, and reports whether it never did.
func (r artRef) each(n []uint32, down bool, fn func(b byte, child artRef) bool) bool {
	kids := n[artKids[r.kind()]:]
	biggest := r.kind() == artBiggest
	places := r.children(n)
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
			b = artByte(n, i)
		}
		if !fn(b, artRef(kids[i])) {
			return false
		}
	}
	return true
}
