package engine

import "bytes"

// artWalk is a walk over a tree, in either direction, from a position.
type artWalk struct {
	x    *artIndex
	down bool
	fn   func(slot uint32) bool

	from []byte
	// agree is how many leading bytes of from the nearest key shares, which is
	// the most that any key does; above says that keys which part from from
	// there, where the nearest one does, are above from.
	agree int
	above bool
}

func (x *artIndex) ascend(from []byte, fn func(slot uint32) bool) {
	x.walk(artWalk{x: x, from: from, fn: fn})
}

func (x *artIndex) descend(from []byte, fn func(slot uint32) bool) {
	x.walk(artWalk{x: x, from: from, fn: fn, down: true})
}

func (x *artIndex) walk(w artWalk) {
	if x.root == 0 {
		return
	}
	if w.from == nil {
		w.all(x.root)
		return
	}
	near := x.slots.key(x.nearest(w.from))
	w.agree = commonPrefix(w.from, near)
	w.above = bytes.Compare(near[w.agree:], w.from[w.agree:]) > 0
	w.some(x.root, 0)
}

// all visits every key below ref. It reports false if fn did.
func (w *artWalk) all(ref artRef) bool {
	if ref&artLeaf != 0 {
		return w.fn(ref.slot())
	}
	n := w.x.nodes.at(ref)
	own := n.own()
	if own != 0 && !w.down && !w.fn(own.slot()) {
		return false
	}
	if !n.each(w.down, func(_ byte, child artRef) bool { return w.all(child) }) {
		return false
	}
	return own == 0 || !w.down || w.fn(own.slot())
}

// some visits the keys below ref that are on the right side of from. All of them
// agree with from in the first depth bytes. It reports false if fn did.
func (w *artWalk) some(ref artRef, depth int) bool {
	if ref&artLeaf != 0 {
		c := bytes.Compare(w.x.slots.key(ref.slot()), w.from)
		if c == 0 || c > 0 != w.down {
			return w.fn(ref.slot())
		}
		return true
	}
	n := w.x.nodes.at(ref)
	end := depth + int(n.shared())
	if w.agree < end {
		// The keys part from from within what they share: all are on one side.
		if w.above != w.down {
			return w.all(ref)
		}
		return true
	}
	own := n.own()
	if len(w.from) == end {
		// The own leaf is from itself, and everything else below is above it.
		if !w.down {
			return w.all(ref)
		}
		return own == 0 || w.fn(own.slot())
	}
	at := w.from[end]
	more := n.each(w.down, func(b byte, child artRef) bool {
		switch {
		case b == at:
			return w.some(child, end+1)
		case b > at != w.down:
			return w.all(child)
		}
		return true
	})
	return more && (own == 0 || !w.down || w.fn(own.slot()))
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
