package engine

import (
	"bytes"
	"sort"
	"unsafe"
)

// countedTree is a B+tree of the elements of a collection that knows how many are
// on the left of each. It sorts by a 64-bit key, which is kept in the nodes so
// that a search seldom leaves them, and among equal keys by the subkeys of the
// elements. A change is made at the end of the treePath that the search before it
// went: nothing is searched twice.
//
// A leaf grows with what is in it: a collection of a few elements is one small
// leaf, and a half-full leaf does not cost a whole one.
type countedTree struct {
	root  unsafe.Pointer // *treeInner if depth is above 0, else *treeLeaf; nil: empty
	depth int            // levels of inner nodes
	size  int            // elements
	elems *elementTable
	heap  int64 // bytes of the nodes
	// even says that keys are spread evenly, as hashes are.
	even bool
}

// maxTreeDepth is more levels than 2^32 elements come to have: a node with few items
// is merged with a neighbour unless that has many.
const maxTreeDepth = 10

// treePath is the way to a place in a tree: where an element is, or where it
// belongs. It is valid until the tree changes.
type treePath struct {
	leaf  *treeLeaf // nil if the tree is empty
	place int       // in leaf
	inner [maxTreeDepth]*treeInner
	kid   [maxTreeDepth]uint8 // in inner
}

// ref returns the reference of the element at the end of the path.
func (p *treePath) ref() uint32 { return p.leaf.refs()[p.place] }

// position returns the number of elements before the place.
func (p *treePath) position(t *countedTree) int {
	sum := p.place
	for i := range t.depth {
		sum += p.inner[i].before(int(p.kid[i]))
	}
	return sum
}

// lowerBound returns the number of keys below key, of keys from low to high.
func (t *countedTree) lowerBound(keys []uint64, key, low, high uint64) int {
	if t.even {
		return lowerBoundNear(keys, key, low, high)
	}
	return lowerBound(keys, key)
}

// searchLeaf returns the place of (key, subkey) in a leaf, or where it belongs.
func (t *countedTree) searchLeaf(l *treeLeaf, key uint64, subkey []byte, low, high uint64) (place int, found bool) {
	keys := l.keys()
	place = t.lowerBound(keys, key, low, high)
	if place == len(keys) || keys[place] != key {
		return place, false
	}
	refs := l.refs()
	if place+1 == len(keys) || keys[place+1] != key {
		order := bytes.Compare(t.elems.subkey(refs[place]), subkey)
		if order < 0 {
			place++
		}
		return place, order == 0
	}
	run := refs[place:equalRun(keys, key, place)]
	i, found := sort.Find(len(run), func(i int) int { return bytes.Compare(subkey, t.elems.subkey(run[i])) })
	return place + i, found
}

// searchInner returns the kid, of height levels of inner nodes, that (key,
// subkey) is in, if it exists, and that it belongs in.
func (t *countedTree) searchInner(n *treeInner, height int, key uint64, subkey []byte, low, high uint64) int {
	bounds := n.bounds[:n.n]
	lo := t.lowerBound(bounds, key, low, high)
	if hi := equalRun(bounds, key, lo); hi > lo {
		// Where keys are equal, the subkey of the first element under the kid decides.
		lo += sort.Search(hi-lo, func(i int) bool {
			first := firstLeaf(n.kids[lo+i], height)
			firstKey := first.keys()[0]
			return firstKey > key || firstKey == key && bytes.Compare(t.elems.subkey(first.refs()[0]), subkey) > 0
		})
	}
	return max(lo-1, 0)
}

// firstLeaf returns the first leaf under a node of height levels of inner nodes.
func firstLeaf(node unsafe.Pointer, height int) *treeLeaf {
	for range height {
		node = (*treeInner)(node).kids[0]
	}
	return (*treeLeaf)(node)
}

// find returns the reference of the element (key, subkey).
func (t *countedTree) find(key uint64, subkey []byte) (ref uint32, found bool) {
	if t.root == nil {
		return 0, false
	}
	low, high, node := uint64(0), ^uint64(0), t.root
	for height := t.depth - 1; height >= 0; height-- {
		n := (*treeInner)(node)
		kid := t.searchInner(n, height, key, subkey, low, high)
		low, high = n.boundsOf(kid, high)
		node = n.kids[kid]
	}
	l := (*treeLeaf)(node)
	place, found := t.searchLeaf(l, key, subkey, low, high)
	if !found {
		return 0, false
	}
	return l.refs()[place], true
}

// boundsOf returns what the keys under a kid are between, given what those under n
// are not above.
func (n *treeInner) boundsOf(kid int, high uint64) (uint64, uint64) {
	if kid+1 < n.n {
		high = n.bounds[kid+1]
	}
	return n.bounds[kid], high
}

// search goes to the place of (key, subkey), where it is or where it belongs.
func (t *countedTree) search(p *treePath, key uint64, subkey []byte) (found bool) {
	if t.root == nil {
		p.leaf, p.place = nil, 0
		return false
	}
	low, high, node := uint64(0), ^uint64(0), t.root
	for i := range t.depth {
		n := (*treeInner)(node)
		kid := t.searchInner(n, t.depth-1-i, key, subkey, low, high)
		p.inner[i], p.kid[i] = n, uint8(kid)
		low, high = n.boundsOf(kid, high)
		node = n.kids[kid]
	}
	p.leaf = (*treeLeaf)(node)
	p.place, found = t.searchLeaf(p.leaf, key, subkey, low, high)
	return found
}

// rank returns the position of (key, subkey), or the one it would have.
func (t *countedTree) rank(key uint64, subkey []byte) (position int, found bool) {
	var p treePath
	found = t.search(&p, key, subkey)
	return p.position(t), found
}

// searchAt goes to the place of a position. REQUIRES: 0 <= position < size.
func (t *countedTree) searchAt(p *treePath, position int) {
	rest, total, node := uint32(position), uint32(t.size), t.root
	for i := range t.depth {
		n := (*treeInner)(node)
		var kid int
		kid, rest = n.kidAt(rest, total)
		p.inner[i], p.kid[i] = n, uint8(kid)
		total, node = n.counts[kid], n.kids[kid]
	}
	p.leaf, p.place = (*treeLeaf)(node), int(rest)
}

// at returns the reference of the element at a position.
// REQUIRES: 0 <= position < size.
func (t *countedTree) at(position int) (ref uint32) {
	rest, total, node := uint32(position), uint32(t.size), t.root
	for range t.depth {
		n := (*treeInner)(node)
		var kid int
		kid, rest = n.kidAt(rest, total)
		total, node = n.counts[kid], n.kids[kid]
	}
	return (*treeLeaf)(node).refs()[rest]
}

// nextLeaf goes to the first place of the next leaf, or, if there is none, to a
// nil leaf.
func (t *countedTree) nextLeaf(p *treePath) {
	for i := t.depth - 1; i >= 0; i-- {
		n, kid := p.inner[i], int(p.kid[i])+1
		if kid == n.n {
			continue
		}
		p.kid[i] = uint8(kid)
		node := n.kids[kid]
		for i++; i < t.depth; i++ {
			p.inner[i], p.kid[i] = (*treeInner)(node), 0
			node = p.inner[i].kids[0]
		}
		p.leaf, p.place = (*treeLeaf)(node), 0
		return
	}
	p.leaf = nil
}

// prevLeaf goes to the last place of the leaf before, or to a nil leaf.
func (t *countedTree) prevLeaf(p *treePath) {
	for i := t.depth - 1; i >= 0; i-- {
		if p.kid[i] == 0 {
			continue
		}
		p.kid[i]--
		node := p.inner[i].kids[p.kid[i]]
		for i++; i < t.depth; i++ {
			p.inner[i] = (*treeInner)(node)
			p.kid[i] = uint8(p.inner[i].n - 1)
			node = p.inner[i].kids[p.kid[i]]
		}
		p.leaf = (*treeLeaf)(node)
		p.place = int(p.leaf.n) - 1
		return
	}
	p.leaf = nil
}

// ascend calls fn for the elements from a position on, until fn returns false.
func (t *countedTree) ascend(position int, fn func(key uint64, ref uint32) bool) {
	if position >= t.size {
		return
	}
	var p treePath
	for t.searchAt(&p, max(position, 0)); p.leaf != nil; t.nextLeaf(&p) {
		keys, refs := p.leaf.keys(), p.leaf.refs()
		for i := p.place; i < len(keys); i++ {
			if !fn(keys[i], refs[i]) {
				return
			}
		}
	}
}
