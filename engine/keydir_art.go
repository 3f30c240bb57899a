package engine

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// artIndex is an adaptive radix tree (Leis, Kemper, Neumann: The Adaptive Radix
// Tree, ICDE 2013) made for the keydir. It differs from the paper in this:
//
//   - Nodes have no pointers and lie in an arena, so the garbage collector sees a
//     few chunks and not a node. A reference is 32 bits. There are kinds of node for
//     each small number of children, for those are most of the tree.
//   - A leaf is a reference with the number of the slot in it: it takes no memory
//     beside the 4 bytes in its parent. The key is in the slotTable.
//   - A node knows how many bytes all keys below it share, not which: a search
//     skips them, and compares the whole key at the leaf. An insert first goes
//     to the leaf that a search for the key would end at, or any leaf where the
//     key leaves the tree; how far that leaf's key agrees with the new one says
//     where to branch. So a shared prefix can be of any length, and costs nothing.
//   - A key that ends where others go on is the node's own leaf. No terminating
//     byte is needed, and keys may hold any bytes.
//
// Children are kept in order in every size of node, for ascend and descend.
type artIndex struct {
	root  artRef
	count int
	nodes artNodes
	slots *slotTable
}

func newARTIndex(slots *slotTable) *artIndex { return &artIndex{slots: slots} }

func (x *artIndex) len() int { return x.count }

func (x *artIndex) bytes() int64 { return int64(unsafe.Sizeof(*x)) + x.nodes.bytes() }

func (x *artIndex) freed() int64 { return x.nodes.freed() }

func (x *artIndex) get(key []byte) (slot uint32, ok bool) {
	ref := x.root
	depth := uint64(0)
	for ref&artLeaf == 0 {
		if ref == 0 {
			return 0, false
		}
		n := x.nodes.at(ref)
		depth += uint64(n.shared())
		if depth >= uint64(len(key)) {
			ref = n.own()
			if depth > uint64(len(key)) || ref == 0 {
				return 0, false
			}
			break
		}
		ref = n.child(key[depth])
		depth++
	}
	slot = ref.slot()
	return slot, bytes.Equal(x.slots.key(slot), key)
}

// nearest returns the slot of a key that agrees with key as far as any key does.
// REQUIRES: the tree is not empty.
func (x *artIndex) nearest(key []byte) (slot uint32) {
	ref := x.root
	depth := uint64(0)
	for ref&artLeaf == 0 {
		n := x.nodes.at(ref)
		depth += uint64(n.shared())
		next := artRef(0)
		switch {
		case depth < uint64(len(key)):
			next = n.child(key[depth])
		case depth == uint64(len(key)):
			next = n.own()
		}
		if next == 0 {
			// From here on every leaf agrees with key as far as every other one.
			next = n.anyChild()
		}
		ref = next
		depth++
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

func (x *artIndex) getOrPut(key []byte, expires bool) (slot uint32, added bool) {
	if x.root == 0 {
		slot = x.slots.alloc(key, expires)
		x.root = artLeaf | artRef(slot)
		x.count++
		return slot, true
	}
	slot = x.nearest(key)
	near := x.slots.key(slot)
	split := commonPrefix(key, near)
	if split == len(key) && split == len(near) {
		return slot, false
	}
	slot = x.slots.alloc(key, expires)
	x.count++
	x.insert(key, near, split, artLeaf|artRef(slot))
	return slot, true
}

// insert adds a leaf for key, which is not there. The key that agrees with it
// furthest is near, and they part at split.
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
	parent, _ := x.nodes.make(0)
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

func (x *artIndex) delete(key []byte) bool {
	link := (*uint32)(&x.root) // where the reference to the node is
	var parentLink *uint32     // where the reference to its parent is
	var last byte              // the byte that leads from the parent to the node
	own := false               // the node is its parent's own leaf
	depth := 0
	for artRef(*link)&artLeaf == 0 {
		ref := artRef(*link)
		if ref == 0 {
			return false
		}
		n := x.nodes.at(ref)
		depth += int(n.shared())
		if depth > len(key) {
			return false
		}
		parentLink = link
		if own = depth == len(key); own {
			if n.own() == 0 {
				return false
			}
			link = &n[len(n)-1]
			break
		}
		last = key[depth]
		if link = n.childLink(last); link == nil {
			return false
		}
		depth++
	}
	if !bytes.Equal(x.slots.key(artRef(*link).slot()), key) {
		return false
	}
	x.count--
	switch {
	case parentLink == nil:
		*x = artIndex{slots: x.slots}
		return true
	case own:
		x.nodes.at(artRef(*parentLink)).removeOwn()
	default:
		x.nodes.removeChild(artRef(*parentLink), last)
	}
	*parentLink = uint32(x.nodes.shrink(artRef(*parentLink)))
	return true
}
