package engine

import (
	"encoding/binary"
	"math/bits"
)

// How a key gets into the tree. A search for it comes to where it belongs: to a leaf
// of another key, or to a node that no byte leads on from. But for the bytes that
// nodes skipped: of those it takes some key to know them. Any key below the deepest
// node that skips bytes will do, for below it every byte of the way was looked at.
// The key that was put last often is one; if not, that node is often the root, whose
// first key is at hand. So an insert walks down once and touches little that the
// search did not. Only when the new key differs in the skipped bytes it goes somewhere
// else, and another walk finds out where.

// artPlace is where a search for a key that is not there ended. It is good until the
// tree changes.
type artPlace struct {
	link    *uint32 // where the reference is to the node or leaf at the end
	depth   int     // of the first byte that this node or leaf has to say something about
	skipped artRef  // the deepest node on the way that skips bytes; 0: none does
	skipEnd int     // how many bytes lead to there, the skipped ones included
}

// find is get, but when key is not there, it says where it belongs.
func (x *artIndex) find(key []byte, place *indexPlace) (slot uint32, ok bool) {
	p := &place.art
	*p = artPlace{link: (*uint32)(&x.root)}
	for {
		ref := artRef(*p.link)
		if ref&artLeaf != 0 {
			slot = ref.slot()
			return slot, x.slots.hasKey(slot, key)
		}
		if ref == 0 {
			return 0, false
		}
		n := x.nodes.at(ref)
		end := p.depth
		if shared := n.shared(); shared > 0 {
			end += int(shared)
			p.skipped, p.skipEnd = ref, end
		}
		if end >= len(key) {
			if end > len(key) || n.own() == 0 {
				return 0, false
			}
			p.link = &n[len(n)-1]
		} else if link := n.childLink(key[end]); link != nil {
			p.link = link
		} else {
			return 0, false
		}
		p.depth = end + 1
	}
}

func (x *artIndex) getOrPut(key []byte, expires bool) (slot uint32, added bool) {
	var p indexPlace
	if slot, ok := x.find(key, &p); ok {
		return slot, false
	}
	return x.putAt(key, &p, expires), true
}

// putAt adds key, which find has looked for in vain since the last change of the tree.
func (x *artIndex) putAt(key []byte, place *indexPlace, expires bool) (slot uint32) {
	p := &place.art
	slot = x.slots.alloc(key, expires)
	x.count++
	follows := p.skipped != 0 && x.followsLast(key, p.skipEnd)
	x.last = slot + 1
	leaf := artLeaf | artRef(slot)
	ref := artRef(*p.link)
	if ref == 0 {
		*p.link = uint32(leaf)
		return slot
	}
	if ref&artLeaf != 0 {
		near := x.slots.key(ref.slot())
		split := commonPrefix(key, near)
		if split >= p.depth {
			*p.link = uint32(x.branch(key, near, p.depth, split, leaf, ref))
		} else {
			x.insert(key, near, split, leaf)
		}
		return slot
	}
	if p.skipped != 0 && !follows {
		near := x.slots.key(x.nodes.first(p.skipped))
		if split := commonPrefix(key, near); split < p.skipEnd {
			x.insert(key, near, split, leaf)
			return slot
		}
	}
	if at := p.depth + int(x.nodes.at(ref).shared()); at < len(key) {
		*p.link = uint32(x.nodes.addChild(ref, key[at], leaf))
	} else {
		*p.link = uint32(x.nodes.addOwn(ref, leaf))
	}
	return slot
}

// followsLast reports whether key begins with the same n bytes as the key that was put
// last. If n bytes lead to a node, that key is below the node then, too, and says that
// all bytes which the nodes on the way skip are right. Keys often come in order, and
// the last one is in a cache.
func (x *artIndex) followsLast(key []byte, n int) bool {
	return x.last != 0 && commonPrefix(key, x.slots.key(x.last-1)) >= n
}

// first returns the slot of a leaf below ref.
func (a *artNodes) first(ref artRef) (slot uint32) {
	for ref&artLeaf == 0 {
		ref = a.at(ref).anyChild()
	}
	return ref.slot()
}

// commonPrefix returns how many leading bytes a and b share.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if d := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); d != 0 {
			return i + bits.TrailingZeros64(d)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// insert adds a leaf for key, which is not there, wherever it belongs. No key agrees
// with it further than near, and they part at split.
func (x *artIndex) insert(key, near []byte, split int, leaf artRef) {
	link := (*uint32)(&x.root) // where the reference to the node is
	depth := 0
	for {
		ref := artRef(*link)
		if ref&artLeaf != 0 {
			*link = uint32(x.branch(key, near, depth, split, leaf, ref))
			return
		}
		n := x.nodes.at(ref)
		end := depth + int(n.shared())
		if split < end {
			ref = x.nodes.setShared(ref, uint32(end-split-1))
			*link = uint32(x.branch(key, near, depth, split, leaf, ref))
			return
		}
		if end == len(key) {
			*link = uint32(x.nodes.addOwn(ref, leaf))
			return
		}
		next := n.childLink(key[end])
		if next == nil {
			*link = uint32(x.nodes.addChild(ref, key[end], leaf))
			return
		}
		link, depth = next, end+1
	}
}

// branch returns a new node at depth with two children: leaf, for key, and ref,
// whose keys agree with near. The two part at split.
func (x *artIndex) branch(key, near []byte, depth, split int, leaf, ref artRef) artRef {
	parent, n := x.nodes.make(0)
	if len(key) > split && len(near) > split && split-depth < artSharedMax {
		n.setPair(uint32(split-depth), key[split], near[split], leaf, ref)
		return parent
	}
	parent = x.nodes.setShared(parent, uint32(split-depth))
	if len(key) == split {
		parent = x.nodes.addOwn(parent, leaf)
	} else {
		parent = x.nodes.addChild(parent, key[split], leaf)
	}
	if len(near) == split {
		return x.nodes.addOwn(parent, ref)
	}
	return x.nodes.addChild(parent, near[split], ref)
}
