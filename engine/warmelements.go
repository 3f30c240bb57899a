package engine

import "unsafe"

// leastWarmElements is how many elements a collection has that does not fit in the
// processor's caches.
const leastWarmElements = 10_000

// warmElement is one subkey on its way down.
type warmElement struct {
	key       uint64 // sortKey of the subkey
	low, high uint64 // what the keys in leaf are between
	leaf      *treeLeaf
	place     int
}

// WarmElements is Warm for elements of the collection that key names, which need not
// exist: commands that read, add or remove them follow at once. It does nothing for
// one that is small, or in the order of its subkeys' bytes: elements there come and go
// where the last ones did.
func (db *DB) WarmElements(space int, key []byte, subkeys [][]byte) {
	s := &db.shards[db.ShardOf(key)]
	if !s.mu.TryRLock() {
		return
	}
	defer s.mu.RUnlock()
	t := s.tables[space]
	if t == nil {
		return
	}
	slot, ok := t.index.get(key)
	if !ok {
		return
	}
	e := t.slots.at(slot)
	if e.flags&flagGhost != 0 || e.coll == 0 {
		return
	}
	c := db.colls.at(e.coll)
	if c.Len() < leastWarmElements || c.id.Order() == OrderBytes {
		return
	}
	var group [warmGroup]warmElement
	for len(subkeys) > 0 {
		n := min(len(subkeys), warmGroup)
		c.warm(subkeys[:n], group[:n])
		subkeys = subkeys[n:]
	}
}

// warm goes to the places of subkeys in step. The inner nodes are few, and in the
// caches; the misses are a leaf, in three places, and then the element.
func (c *Collection) warm(subkeys [][]byte, group []warmElement) {
	for i, subkey := range subkeys {
		w := &group[i]
		w.key = c.sortKey(subkey)
		c.main.goToLeaf(w)
	}
	for i := range group {
		w := &group[i]
		keys := w.leaf.keys()
		w.place = lowerBoundNear(keys, w.key, w.low, w.high)
		// A pointer behind the last reference might be one behind the leaf.
		prefetch(unsafe.Add(unsafe.Pointer(w.leaf), w.leaf.refAt(min(w.place, len(keys)-1))))
	}
	for i := range group {
		w := &group[i]
		if keys := w.leaf.keys(); w.place < len(keys) && keys[w.place] == w.key {
			prefetch(unsafe.Pointer(c.elems.at(w.leaf.refs()[w.place])))
		}
	}
}

// goToLeaf finds the leaf of w.key and begins to load its head, and what of its keys
// is most likely looked at. Subkeys with equal keys may be in another leaf: there are
// next to none. REQUIRES: the tree is not empty and its keys are spread evenly.
func (t *countedTree) goToLeaf(w *warmElement) {
	low, high, node, count := uint64(0), ^uint64(0), t.root, uint32(t.size)
	for range t.depth {
		n := (*treeInner)(node)
		kid := lowerBoundNear(n.bounds[:n.n], w.key, low, high)
		if kid == n.n || n.bounds[kid] != w.key {
			kid = max(kid-1, 0)
		}
		low, high = n.boundsOf(kid, high)
		count, node = n.counts[kid], n.kids[kid]
	}
	w.leaf, w.low, w.high = (*treeLeaf)(node), low, high
	prefetch(node)
	prefetch(unsafe.Add(node, treeLeafHead+8*uintptr(guessPlace(int(count), w.key, low, high))))
}
