package engine

import "bytes"

// Finder looks subkeys up in a collection by their hashes, as AscendHash gives
// them: the hash of a subkey is the same in all collections of a database. It is
// fast if they come in ascending order, for it goes on from where the last search
// ended; in any other order it is as fast as GetElement. It is valid until the
// collection is written, and for one goroutine.
type Finder struct {
	c     *Collection
	leaf  *treeNode // where the last search ended; nil: nowhere
	place int       // in leaf
}

// Finder returns a Finder of the collection. REQUIRES: OrderHash or OrderScore.
func (c *Collection) Finder() Finder { return Finder{c: c} }

// Has reports whether the collection has an element with a subkey that has that
// hash.
func (f *Finder) Has(hash uint64, subkey []byte) bool {
	t := &f.c.main
	// At its ends a leaf may have elements whose hash those of its neighbour have, too.
	if f.leaf == nil || hash <= f.leaf.keys[0] || hash >= f.leaf.keys[len(f.leaf.keys)-1] {
		if f.leaf = t.leafOf(hash, subkey); f.leaf == nil {
			return false
		}
		f.place = min(lowerBound(f.leaf.keys, hash), len(f.leaf.keys)-1)
	} else if f.leaf.keys[f.place] >= hash {
		f.place = lowerBound(f.leaf.keys, hash)
	}
	keys := f.leaf.keys
	for f.place+1 < len(keys) && keys[f.place] < hash {
		f.place++
	}
	for i := f.place; i < len(keys) && keys[i] == hash; i++ {
		if bytes.Equal(t.elems.subkey(f.leaf.refs[i]), subkey) {
			return true
		}
	}
	return false
}

// leafOf returns the leaf that (key, subkey) is in, if it exists, or nil if there
// is none.
func (t *countedTree) leafOf(key uint64, subkey []byte) *treeNode {
	n := t.root
	for n != nil && n.kids != nil {
		n = n.kids[t.searchInner(n, key, subkey)]
	}
	return n
}
