package engine

import "bytes"

// Finder looks subkeys up in a collection by their hashes, as AscendHash gives
// them: the hash of a subkey is the same in all collections of a database. It is
// fast if they come in ascending order, for it goes on from where the last search
// ended; in any other order it is as fast as GetElement. It is valid until the
// collection is written, and for one goroutine.
type Finder struct {
	c    *Collection
	path treePath // where the last search ended; a nil leaf: nowhere
}

// Finder returns a Finder of the collection. REQUIRES: OrderHash or OrderScore.
func (c *Collection) Finder() Finder { return Finder{c: c} }

// Has reports whether the collection has an element with a subkey that has that
// hash.
func (f *Finder) Has(hash uint64, subkey []byte) bool {
	t, p := &f.c.main, &f.path
	// At its ends a leaf may have elements whose hash those of its neighbour have, too.
	if p.leaf == nil || hash <= p.leaf.keys()[0] || hash >= p.leaf.keys()[p.leaf.n-1] {
		return t.search(p, hash, subkey)
	}
	keys := p.leaf.keys()
	if p.place >= len(keys) || keys[p.place] >= hash {
		p.place = lowerBound(keys, hash)
	}
	for keys[p.place] < hash { // the last of them is above
		p.place++
	}
	for i := p.place; keys[i] == hash; i++ {
		if bytes.Equal(t.elems.subkey(p.leaf.refs()[i]), subkey) {
			return true
		}
	}
	return false
}
