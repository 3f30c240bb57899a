package engine

import (
	"bytes"
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
//     skips them, and compares the whole key at the leaf. An insert compares the key
//     with one that is there, which says where the two part: keydir_art_put.go. So a
//     shared prefix can be of any length, and costs nothing.
//   - A key that ends where others go on is the node's own leaf. No terminating
//     byte is needed, and keys may hold any bytes.
//
// Children are kept in order in every size of node, for ascend and descend.
type artIndex struct {
	root  artRef
	last  uint32 // slot of the key that was put last, +1; 0: it is not there any more
	count int
	nodes artNodes
	slots *slotTable
}

func newARTIndex(slots *slotTable) *artIndex { return &artIndex{slots: slots} }

func (x *artIndex) len() int { return x.count }

func (x *artIndex) bytes() int64 { return int64(unsafe.Sizeof(*x)) + x.nodes.bytes() }

func (x *artIndex) freed() int64 { return x.nodes.freed() }

func (x *artIndex) get(key []byte) (slot uint32, ok bool) {
	if slot, ok = x.leaf(key); !ok {
		return 0, false
	}
	return slot, x.slots.hasKey(slot, key)
}

// leaf returns the slot of the only key that can be key; ok is false if none can.
//
// Most nodes share no bytes, and have a path of their own: which way a branch goes is
// guessed by the processor, so it asks for the child without waiting for the header,
// which in a large node lies in another cache line.
func (x *artIndex) leaf(key []byte) (slot uint32, ok bool) {
	ref := x.root
	depth := uint64(0)
	for ref&artLeaf == 0 {
		if ref == 0 {
			return 0, false
		}
		n := x.nodes.at(ref)
		if n[0]>>artIsLongShift == 0 && depth < uint64(len(key)) {
			ref = n.child(key[depth])
			depth++
			continue
		}
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
	return ref.slot(), true
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
	if slot := artRef(*link).slot(); x.last == slot+1 {
		x.last = 0
	}
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
