package engine

import (
	"bytes"
	"slices"

	art "github.com/plar/go-adaptive-radix-tree/v2"
)

// plarIndex is the index on github.com/plar/go-adaptive-radix-tree, the
// reference implementation. The tree cannot hold keys that share 65,536 or more
// leading bytes (it keeps the length of a prefix in 16 bits) and cannot delete
// the empty key, so keys of such lengths are beside it, in a sorted slice: they
// are rare, and changing the slice costs less than reading one of them.
//
// The tree has no seek: ascend and descend visit every key before the position,
// O(n), whatever the position.
type plarIndex struct {
	tree  art.Tree
	apart []uint32 // slots of the keys that the tree cannot hold, in order of the keys
	keyOf func(slot uint32) []byte
}

const (
	// plarMaxKeyBytes is the longest key in the tree: two of them share at most
	// that many bytes.
	plarMaxKeyBytes = 65535
	// plarKeyBytes is about what the tree uses per key, without the key, as
	// measured for a million keys of 16 bytes. The tree does not count.
	plarKeyBytes = 120
)

func newPlarIndex(keyOf func(slot uint32) []byte) *plarIndex {
	return &plarIndex{tree: art.New(), keyOf: keyOf}
}

// isApart reports whether the tree cannot hold key.
func (x *plarIndex) isApart(key []byte) bool { return len(key) == 0 || len(key) > plarMaxKeyBytes }

// searchApart returns the place of key in apart, or where it belongs.
func (x *plarIndex) searchApart(key []byte) (place int, ok bool) {
	return slices.BinarySearchFunc(x.apart, key, func(slot uint32, key []byte) int {
		return bytes.Compare(x.keyOf(slot), key)
	})
}

func (x *plarIndex) get(key []byte) (slot uint32, ok bool) {
	if x.isApart(key) {
		place, ok := x.searchApart(key)
		if !ok {
			return 0, false
		}
		return x.apart[place], true
	}
	value, ok := x.tree.Search(key)
	if !ok {
		return 0, false
	}
	return value.(uint32), true
}

func (x *plarIndex) put(key []byte, slot uint32) {
	if x.isApart(key) {
		place, _ := x.searchApart(key)
		x.apart = slices.Insert(x.apart, place, slot)
		return
	}
	// The tree keeps the slice it is given, so it gets the one that keyOf promises
	// to keep.
	x.tree.Insert(x.keyOf(slot), slot)
}

func (x *plarIndex) delete(key []byte) bool {
	if x.isApart(key) {
		place, ok := x.searchApart(key)
		if ok {
			x.apart = slices.Delete(x.apart, place, place+1)
		}
		return ok
	}
	_, ok := x.tree.Delete(key)
	return ok
}

func (x *plarIndex) len() int { return x.tree.Size() + len(x.apart) }

func (x *plarIndex) ascend(from []byte, fn func(slot uint32) bool) {
	place, _ := x.searchApart(from)
	rest := x.apart[place:]
	more := true
	x.tree.ForEach(func(node art.Node) bool {
		key := node.Key()
		if bytes.Compare(key, from) < 0 {
			return true
		}
		for more && len(rest) > 0 && bytes.Compare(x.keyOf(rest[0]), key) < 0 {
			more = fn(rest[0])
			rest = rest[1:]
		}
		more = more && fn(node.Value().(uint32))
		return more
	})
	for ; more && len(rest) > 0; rest = rest[1:] {
		more = fn(rest[0])
	}
}

func (x *plarIndex) descend(from []byte, fn func(slot uint32) bool) {
	rest := x.apart
	if from != nil {
		place, ok := x.searchApart(from)
		if ok {
			place++
		}
		rest = x.apart[:place]
	}
	more := true
	x.tree.ForEach(func(node art.Node) bool {
		key := node.Key()
		if from != nil && bytes.Compare(key, from) > 0 {
			return true
		}
		for more && len(rest) > 0 && bytes.Compare(x.keyOf(rest[len(rest)-1]), key) > 0 {
			more = fn(rest[len(rest)-1])
			rest = rest[:len(rest)-1]
		}
		more = more && fn(node.Value().(uint32))
		return more
	}, art.TraverseReverse)
	for ; more && len(rest) > 0; rest = rest[:len(rest)-1] {
		more = fn(rest[len(rest)-1])
	}
}

func (x *plarIndex) bytes() int64 {
	return int64(x.tree.Size())*plarKeyBytes + int64(cap(x.apart))*4
}
