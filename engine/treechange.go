package engine

import "unsafe"

// insert adds an element, which is not in the tree.
func (t *countedTree) insert(key uint64, subkey []byte, ref uint32) {
	var p treePath
	t.search(&p, key, subkey)
	t.insertAt(&p, key, ref)
}

// remove takes an element, which is in the tree, out.
func (t *countedTree) remove(key uint64, subkey []byte) {
	var p treePath
	t.search(&p, key, subkey)
	t.removeAt(&p)
}

// replace gives an element, which is in the tree, another key.
func (t *countedTree) replace(old, key uint64, subkey []byte, ref uint32) {
	var p treePath
	t.search(&p, old, subkey)
	keys := p.leaf.keys()
	if i := p.place; i > 0 && i+1 < len(keys) && keys[i-1] < key && key < keys[i+1] {
		keys[i] = key // it stays where it is
		return
	}
	t.removeAt(&p)
	t.insert(key, subkey, ref)
}

// insertAt adds an element at the place that it belongs to. The path is not valid
// after that.
func (t *countedTree) insertAt(p *treePath, key uint64, ref uint32) {
	if t.root == nil {
		p.leaf, p.place = t.newLeaf(1), 0
		t.root = unsafe.Pointer(p.leaf)
	}
	t.size++
	for i := range t.depth {
		n, kid := p.inner[i], p.kid[i]
		n.counts[kid]++
		n.bounds[kid] = min(n.bounds[kid], key)
	}
	switch n := p.leaf.n; n {
	case treeLeafMax:
		t.splitLeaf(p, key, ref)
		return
	case p.leaf.room:
		t.resize(p, leafRoom(int(n)+1))
	}
	p.leaf.insert(p.place, key, ref)
}

func (t *countedTree) newLeaf(n int) *treeLeaf {
	room := leafRoom(n)
	t.heap += leafBytes(room)
	return newTreeLeaf(room)
}

// resize puts a leaf of another room in the place of the one at the end of a path.
func (t *countedTree) resize(p *treePath, room uint32) {
	l := newTreeLeaf(room)
	l.appendFrom(p.leaf, 0)
	t.heap += leafBytes(room) - leafBytes(p.leaf.room)
	p.leaf = l
	t.setKid(p, t.depth, unsafe.Pointer(l))
}

// setKid makes node the one that a path goes to at a level.
func (t *countedTree) setKid(p *treePath, level int, node unsafe.Pointer) {
	if level == 0 {
		t.root = node
		return
	}
	p.inner[level-1].kids[p.kid[level-1]] = node
}

// splitLeaf divides the leaf at the end of a path, which is full and is counted
// one more than it has, in two, and puts an element in.
func (t *countedTree) splitLeaf(p *treePath, key uint64, ref uint32) {
	left, place := p.leaf, p.place
	middle := treeLeafMax / 2
	// At the ends of the order elements tend to come in order: the full leaf stays
	// full there, and its neighbour gets room for those that will come.
	switch {
	case place == treeLeafMax && p.atEnd(t.depth):
		right := t.newLeaf(treeLeafMax)
		right.insert(0, key, ref)
		t.addKid(p, t.depth, key, 1, unsafe.Pointer(right))
		return
	case place == 0 && p.atBegin(t.depth):
		middle = 1
	}
	right := t.newLeaf(treeLeafMax - middle + 1)
	right.appendFrom(left, middle)
	left.n = uint32(middle)
	if place <= middle {
		left.insert(place, key, ref)
	} else {
		right.insert(place-middle, key, ref)
	}
	if room := leafRoom(int(left.n)); middle > 1 && room < left.room {
		t.resize(p, room)
	}
	t.addKid(p, t.depth, right.keys()[0], right.n, unsafe.Pointer(right))
}

// atEnd and atBegin report whether a path goes along the edge of the tree, through
// that many levels of inner nodes.
func (p *treePath) atEnd(levels int) bool {
	for i := range levels {
		if int(p.kid[i]) != p.inner[i].n-1 {
			return false
		}
	}
	return true
}

func (p *treePath) atBegin(levels int) bool {
	for i := range levels {
		if p.kid[i] != 0 {
			return false
		}
	}
	return true
}

// addKid puts a node behind the one that a path goes to at a level. The count of
// that one still includes what the new one has.
func (t *countedTree) addKid(p *treePath, level int, bound uint64, count uint32, node unsafe.Pointer) {
	if level == 0 {
		t.growRoot(bound, count, node)
		return
	}
	n, kid := p.inner[level-1], int(p.kid[level-1])
	n.counts[kid] -= count
	if n.n < treeInnerMax {
		n.insert(kid+1, bound, count, node)
		return
	}
	middle := treeInnerMax / 2
	switch { // as in splitLeaf
	case p.atEnd(level):
		middle = treeInnerMax
	case p.atBegin(level):
		middle = 1
	}
	right := &treeInner{}
	t.heap += treeInnerBytes
	right.appendFrom(n, middle)
	if kid < middle && middle < treeInnerMax {
		n.insert(kid+1, bound, count, node)
	} else {
		right.insert(kid+1-middle, bound, count, node)
	}
	t.addKid(p, level-1, right.bounds[0], right.count(), unsafe.Pointer(right))
}

// growRoot puts a root above the old one and a node behind that.
func (t *countedTree) growRoot(bound uint64, count uint32, node unsafe.Pointer) {
	root := &treeInner{}
	t.heap += treeInnerBytes
	var low uint64
	if t.depth > 0 {
		low = (*treeInner)(t.root).bounds[0]
	} else {
		low = (*treeLeaf)(t.root).keys()[0]
	}
	root.insert(0, low, uint32(t.size)-count, t.root)
	root.insert(1, bound, count, node)
	t.root = unsafe.Pointer(root)
	t.depth++
}

// removeAt takes the element at the end of a path out. The path is not valid after
// that.
func (t *countedTree) removeAt(p *treePath) {
	t.size--
	for i := range t.depth {
		p.inner[i].counts[p.kid[i]]--
	}
	p.leaf.remove(p.place)
	n := int(p.leaf.n)
	switch {
	case n == 0:
		t.heap -= leafBytes(p.leaf.room)
		t.dropKid(p, t.depth)
		return
	case n < treeLeafFew && t.depth > 0 && t.mergeLeaf(p):
		return
	}
	// Room is given back late, so that what goes to and fro does not move; and not
	// at the ends of the order, where elements come and go most.
	if room := leafRoom(min(n+n/2+2, treeLeafMax)); room < p.leaf.room && (t.depth == 0 || !p.atBegin(t.depth) && !p.atEnd(t.depth)) {
		t.resize(p, room)
	}
}

// dropKid takes the node that a path goes to at a level, which has nothing in it,
// out.
func (t *countedTree) dropKid(p *treePath, level int) {
	if level == 0 {
		t.root, t.depth = nil, 0
		return
	}
	n := p.inner[level-1]
	n.remove(int(p.kid[level-1]))
	switch {
	case n.n == 0:
		t.heap -= treeInnerBytes
		t.dropKid(p, level-1)
	case level == 1:
		t.shrinkRoot()
	case n.n < treeInnerFew:
		t.mergeInner(p, level-1)
	}
}

// shrinkRoot takes roots with a single kid away.
func (t *countedTree) shrinkRoot() {
	for t.depth > 0 && (*treeInner)(t.root).n == 1 {
		t.root = (*treeInner)(t.root).kids[0]
		t.depth--
		t.heap -= treeInnerBytes
	}
}

// mergeLeaf puts the leaf at the end of a path and a neighbour together, if that
// leaves room. It reports whether it did.
func (t *countedTree) mergeLeaf(p *treePath) bool {
	n, kid := p.inner[t.depth-1], int(p.kid[t.depth-1])
	for _, left := range [...]int{kid, kid - 1} {
		if left < 0 || left+1 >= n.n || n.counts[left]+n.counts[left+1] > treeLeafMerged {
			continue
		}
		a, b := (*treeLeaf)(n.kids[left]), (*treeLeaf)(n.kids[left+1])
		if a.n+b.n > a.room {
			room := leafRoom(int(a.n + b.n))
			grown := newTreeLeaf(room)
			grown.appendFrom(a, 0)
			t.heap += leafBytes(room) - leafBytes(a.room)
			a = grown
			n.kids[left] = unsafe.Pointer(a)
		}
		a.appendFrom(b, 0)
		t.heap -= leafBytes(b.room)
		n.counts[left] += n.counts[left+1]
		p.kid[t.depth-1] = uint8(left + 1)
		t.dropKid(p, t.depth)
		return true
	}
	return false
}

// mergeInner is mergeLeaf for the inner node that a path goes to at a level.
func (t *countedTree) mergeInner(p *treePath, level int) {
	n, kid := p.inner[level-1], int(p.kid[level-1])
	for _, left := range [...]int{kid, kid - 1} {
		if left < 0 || left+1 >= n.n {
			continue
		}
		a, b := (*treeInner)(n.kids[left]), (*treeInner)(n.kids[left+1])
		if a.n+b.n > treeInnerMerged {
			continue
		}
		a.appendFrom(b, 0)
		t.heap -= treeInnerBytes
		n.counts[left] += n.counts[left+1]
		p.kid[level-1] = uint8(left + 1)
		t.dropKid(p, level)
		return
	}
}
