package engine

import (
	"bytes"
	"slices"
	"sort"
)

// countedTree is a B+tree of element numbers that knows how many are on the left
// of each. It sorts by a 64-bit key, which is kept in the nodes so that a search
// seldom leaves them, and among equal keys by the subkeys of the elements.
//
// A node's slices grow with what is in them: a collection of a few elements is
// one small leaf, and a half-full leaf does not cost a whole one.
type countedTree struct {
	root  *treeNode
	elems *elementTable
	heap  int64 // bytes of the nodes
}

// treeNode is a leaf or, if it has kids, an inner node. A leaf has the keys and
// the numbers of its elements. An inner node has, for each kid, a key that none
// in the kid is below and none in the kids before is above, and the number of
// elements under the kid.
type treeNode struct {
	keys []uint64
	refs []uint32
	kids []*treeNode
}

const (
	treeNodeMax   = 64
	treeNodeBytes = 72
)

// len returns the number of elements.
func (t *countedTree) len() int {
	if t.root == nil {
		return 0
	}
	return t.root.count()
}

// count returns the number of elements under a node.
func (n *treeNode) count() int {
	if n.kids == nil {
		return len(n.refs)
	}
	sum := 0
	for _, c := range n.refs {
		sum += int(c)
	}
	return sum
}

// compare compares an element with (key, subkey), given the key of the element.
func (t *countedTree) compare(elementKey uint64, ref uint32, key uint64, subkey []byte) int {
	switch {
	case elementKey < key:
		return -1
	case elementKey > key:
		return 1
	}
	return bytes.Compare(t.elems.subkey(ref), subkey)
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

// equalRun returns the end of the run of keys equal to key that begins at lo.
func equalRun(keys []uint64, key uint64, lo int) int {
	if key == ^uint64(0) {
		return len(keys)
	}
	return lo + lowerBound(keys[lo:], key+1)
}

// searchLeaf returns the place of (key, subkey) in a leaf, or where it belongs.
func (t *countedTree) searchLeaf(n *treeNode, key uint64, subkey []byte) (place int, found bool) {
	lo := lowerBound(n.keys, key)
	hi := equalRun(n.keys, key, lo)
	place = lo + sort.Search(hi-lo, func(i int) bool {
		return bytes.Compare(t.elems.subkey(n.refs[lo+i]), subkey) >= 0
	})
	return place, place < hi && bytes.Equal(t.elems.subkey(n.refs[place]), subkey)
}

// searchInner returns the kid that (key, subkey) is in, if it exists, and that
// it belongs in.
func (t *countedTree) searchInner(n *treeNode, key uint64, subkey []byte) int {
	lo := lowerBound(n.keys, key)
	hi := equalRun(n.keys, key, lo)
	// Where keys are equal, the subkey of the first element under the kid decides.
	place := lo + sort.Search(hi-lo, func(i int) bool {
		first := n.kids[lo+i]
		for first.kids != nil {
			first = first.kids[0]
		}
		return t.compare(first.keys[0], first.refs[0], key, subkey) > 0
	})
	return max(place-1, 0)
}

// find returns the number of the element (key, subkey).
func (t *countedTree) find(key uint64, subkey []byte) (ref uint32, found bool) {
	n := t.root
	if n == nil {
		return 0, false
	}
	for n.kids != nil {
		n = n.kids[t.searchInner(n, key, subkey)]
	}
	place, found := t.searchLeaf(n, key, subkey)
	if !found {
		return 0, false
	}
	return n.refs[place], true
}

// rank returns the position of (key, subkey), or the one it would have.
func (t *countedTree) rank(key uint64, subkey []byte) (position int, found bool) {
	n := t.root
	if n == nil {
		return 0, false
	}
	for n.kids != nil {
		kid := t.searchInner(n, key, subkey)
		for _, c := range n.refs[:kid] {
			position += int(c)
		}
		n = n.kids[kid]
	}
	place, found := t.searchLeaf(n, key, subkey)
	return position + place, found
}

// at returns the number of the element at a position.
// REQUIRES: 0 <= position < len.
func (t *countedTree) at(position int) (ref uint32) {
	n := t.root
	for n.kids != nil {
		kid := 0
		for position >= int(n.refs[kid]) {
			position -= int(n.refs[kid])
			kid++
		}
		n = n.kids[kid]
	}
	return n.refs[position]
}

// ascend calls fn for the elements from a position on, until fn returns false.
func (t *countedTree) ascend(position int, fn func(key uint64, ref uint32) bool) {
	if t.root != nil && position < t.len() {
		t.root.ascend(max(position, 0), fn)
	}
}

func (n *treeNode) ascend(position int, fn func(key uint64, ref uint32) bool) bool {
	if n.kids == nil {
		for i := position; i < len(n.refs); i++ {
			if !fn(n.keys[i], n.refs[i]) {
				return false
			}
		}
		return true
	}
	for i, kid := range n.kids {
		if c := int(n.refs[i]); position >= c {
			position -= c
			continue
		}
		if !kid.ascend(position, fn) {
			return false
		}
		position = 0
	}
	return true
}

// descend calls fn for the elements from a position down, until fn returns false.
func (t *countedTree) descend(position int, fn func(key uint64, ref uint32) bool) {
	if n := t.len(); n > 0 && position >= 0 {
		t.root.descend(n-1-min(position, n-1), fn)
	}
}

// descend leaves out the last skip elements.
func (n *treeNode) descend(skip int, fn func(key uint64, ref uint32) bool) bool {
	if n.kids == nil {
		for i := len(n.refs) - 1 - skip; i >= 0; i-- {
			if !fn(n.keys[i], n.refs[i]) {
				return false
			}
		}
		return true
	}
	for i, kid := range slices.Backward(n.kids) {
		if c := int(n.refs[i]); skip >= c {
			skip -= c
			continue
		}
		if !kid.descend(skip, fn) {
			return false
		}
		skip = 0
	}
	return true
}

// insert adds an element, which is not in the tree.
func (t *countedTree) insert(key uint64, subkey []byte, ref uint32) {
	if t.root == nil {
		t.root = &treeNode{}
		t.heap += treeNodeBytes
	}
	if len(t.root.keys) == treeNodeMax {
		root := &treeNode{}
		t.heap += treeNodeBytes
		t.insertInto(root, 0, t.root.keys[0], uint32(t.root.count()), t.root)
		t.root = root
		t.split(root, 0, key, subkey)
	}
	n := t.root
	for n.kids != nil {
		i := t.searchInner(n, key, subkey)
		if len(n.kids[i].keys) == treeNodeMax {
			t.split(n, i, key, subkey)
			i = t.searchInner(n, key, subkey)
		}
		n.keys[i] = min(n.keys[i], key)
		n.refs[i]++
		n = n.kids[i]
	}
	place, _ := t.searchLeaf(n, key, subkey)
	t.insertInto(n, place, key, ref, nil)
}

// insertInto puts a key with its ref, and its kid if n is an inner node, into n.
func (t *countedTree) insertInto(n *treeNode, place int, key uint64, ref uint32, kid *treeNode) {
	if len(n.keys) == cap(n.keys) {
		c := len(n.keys) + 16
		if c < 48 {
			c = max(2, 2*len(n.keys))
		}
		t.resize(n, c, kid != nil)
	}
	n.keys = slices.Insert(n.keys, place, key)
	n.refs = slices.Insert(n.refs, place, ref)
	if kid != nil {
		n.kids = slices.Insert(n.kids, place, kid)
	}
}

// resize gives the slices of n room for c.
func (t *countedTree) resize(n *treeNode, c int, inner bool) {
	perItem := int64(12)
	if inner {
		perItem = 20
		n.kids = append(make([]*treeNode, 0, c), n.kids...)
	}
	t.heap += perItem * int64(c-cap(n.keys))
	n.keys = append(make([]uint64, 0, c), n.keys...)
	n.refs = append(make([]uint32, 0, c), n.refs...)
}

// split divides kid i of n, which is full, in two, to make room for (key,
// subkey).
func (t *countedTree) split(n *treeNode, i int, key uint64, subkey []byte) {
	left := n.kids[i]
	inner := left.kids != nil
	// At the ends of the order elements tend to come in order: leave the full node
	// full then.
	middle := treeNodeMax / 2
	var place int
	if inner {
		place = t.searchInner(left, key, subkey)
	} else {
		place, _ = t.searchLeaf(left, key, subkey)
	}
	switch {
	case i == len(n.kids)-1 && place >= treeNodeMax-1:
		middle = treeNodeMax - 1
	case i == 0 && place == 0:
		middle = 1
	}
	right := &treeNode{}
	t.heap += treeNodeBytes
	t.resize(right, (treeNodeMax-middle+15)/16*16, inner)
	t.moveTail(left, right, middle)
	n.refs[i] = uint32(left.count())
	t.insertInto(n, i+1, right.keys[0], uint32(right.count()), right)
}

// moveTail appends what is in from at place and after to the node to.
func (t *countedTree) moveTail(from, to *treeNode, place int) {
	inner := from.kids != nil
	if need := len(to.keys) + len(from.keys) - place; need > cap(to.keys) {
		t.resize(to, (need+15)/16*16, inner)
	}
	to.keys = append(to.keys, from.keys[place:]...)
	to.refs = append(to.refs, from.refs[place:]...)
	from.keys, from.refs = from.keys[:place], from.refs[:place]
	if inner {
		to.kids = append(to.kids, from.kids[place:]...)
		clear(from.kids[place:])
		from.kids = from.kids[:place]
	}
	t.trim(from)
}

// trim gives back the room of a node that uses little of it.
func (t *countedTree) trim(n *treeNode) {
	if c := (len(n.keys) + 15) / 16 * 16; cap(n.keys)-c >= 16 {
		t.resize(n, c, n.kids != nil)
	}
}

// remove takes an element, which is in the tree, out.
func (t *countedTree) remove(key uint64, subkey []byte) {
	t.removeFrom(t.root, key, subkey)
	for len(t.root.kids) == 1 {
		t.drop(t.root)
		t.root = t.root.kids[0]
	}
	if len(t.root.keys) == 0 {
		t.drop(t.root)
		t.root = nil
	}
}

func (t *countedTree) removeFrom(n *treeNode, key uint64, subkey []byte) {
	if n.kids == nil {
		place, _ := t.searchLeaf(n, key, subkey)
		t.removeAt(n, place)
		return
	}
	i := t.searchInner(n, key, subkey)
	t.removeFrom(n.kids[i], key, subkey)
	n.refs[i]--
	switch size := len(n.kids[i].keys); {
	case size == 0:
		t.drop(n.kids[i])
		t.removeAt(n, i)
	case size < treeNodeMax/4:
		// A node is merged into its neighbour only if that leaves room: the next
		// insert need not split it again.
		if i+1 < len(n.kids) && size+len(n.kids[i+1].keys) <= treeNodeMax*3/4 {
			t.merge(n, i)
		} else if i > 0 && size+len(n.kids[i-1].keys) <= treeNodeMax*3/4 {
			t.merge(n, i-1)
		}
	}
}

// merge puts kid i+1 of n into kid i.
func (t *countedTree) merge(n *treeNode, i int) {
	left, right := n.kids[i], n.kids[i+1]
	t.moveTail(right, left, 0)
	n.refs[i] += n.refs[i+1]
	t.drop(right)
	t.removeAt(n, i+1)
}

// removeAt takes the item at place out of a node.
func (t *countedTree) removeAt(n *treeNode, place int) {
	n.keys = slices.Delete(n.keys, place, place+1)
	n.refs = slices.Delete(n.refs, place, place+1)
	if n.kids != nil {
		n.kids = slices.Delete(n.kids, place, place+1)
	}
	t.trim(n)
}

// drop counts out the memory of a node that is no longer used.
func (t *countedTree) drop(n *treeNode) {
	perItem := int64(12)
	if n.kids != nil {
		perItem = 20
	}
	t.heap -= treeNodeBytes + perItem*int64(cap(n.keys))
}
