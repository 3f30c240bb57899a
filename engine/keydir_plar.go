package engine

import (
	"bytes"
	"slices"
	"sync"

	art "github.com/plar/go-adaptive-radix-tree/v2"
)

// plarIndex is the index on github.com/plar/go-adaptive-radix-tree, the
// reference implementation. The tree loses a key that is the beginning of others
// when their node shrinks from 256 to 48 children, it loses keys that share 65,536
// or more leading bytes (it keeps the length of a prefix in 16 bits), and it cannot
// delete the empty key. So it gets the keys in a form of which none is the
// beginning of another and none is empty, and keys that are too long in that form
// are beside it, in a sorted slice: they are rare, and changing the slice costs
// less than reading one of them.
//
// The tree has no seek: ascend and descend visit every key before the position,
// O(n), whatever the position.
type plarIndex struct {
	tree     art.Tree
	apart    []uint32 // slots of the keys that the tree cannot hold, in order of the keys
	slots    *slotTable
	keyBytes int64 // of the keys in the tree
}

const (
	// plarMaxKeyBytes is the length of the longest key in the tree: two of them
	// share fewer bytes.
	plarMaxKeyBytes = 65535
	// plarLeafBytes is about what the tree uses per key, without the key, as
	// measured for a million keys of 16 bytes. The tree does not count.
	plarLeafBytes = 100
)

func newPlarIndex(slots *slotTable) *plarIndex {
	return &plarIndex{tree: art.New(), slots: slots}
}

// appendPlarKey appends the form of key that the tree gets: 0x00 becomes 0x00
// 0xff, and 0x00 0x00 ends it. The order is that of the keys.
func appendPlarKey(dst, key []byte) []byte {
	for {
		i := bytes.IndexByte(key, 0)
		if i < 0 {
			break
		}
		dst = append(append(dst, key[:i+1]...), 0xff)
		key = key[i+1:]
	}
	return append(append(dst, key...), 0, 0)
}

// plarBuffers holds *[]byte for the keys of searches, which the tree does not keep.
var plarBuffers = sync.Pool{New: func() any { return new([]byte) }}

// withPlarKey calls fn with the form of key that the tree gets, unless it is too
// long for the tree, and reports whether it did. fn must not keep it.
func withPlarKey(key []byte, fn func(treeKey art.Key)) bool {
	if len(key) > plarMaxKeyBytes {
		return false
	}
	buffer := plarBuffers.Get().(*[]byte)
	*buffer = appendPlarKey((*buffer)[:0], key)
	fits := len(*buffer) <= plarMaxKeyBytes
	if fits {
		fn(*buffer)
	}
	plarBuffers.Put(buffer)
	return fits
}

// searchApart returns the place of key in apart, or where it belongs.
func (x *plarIndex) searchApart(key []byte) (place int, ok bool) {
	return slices.BinarySearchFunc(x.apart, key, func(slot uint32, key []byte) int {
		return bytes.Compare(x.slots.key(slot), key)
	})
}

func (x *plarIndex) get(key []byte) (slot uint32, ok bool) {
	if withPlarKey(key, func(treeKey art.Key) {
		var value art.Value
		if value, ok = x.tree.Search(treeKey); ok {
			slot = value.(uint32)
		}
	}) {
		return slot, ok
	}
	place, ok := x.searchApart(key)
	if !ok {
		return 0, false
	}
	return x.apart[place], true
}

func (x *plarIndex) getOrPut(key []byte, expires bool) (slot uint32, added bool) {
	if slot, ok := x.get(key); ok {
		return slot, false
	}
	slot = x.slots.alloc(key, expires)
	x.put(key, slot)
	return slot, true
}

// put adds a key that is not there.
func (x *plarIndex) put(key []byte, slot uint32) {
	if withPlarKey(key, func(treeKey art.Key) {
		x.tree.Insert(bytes.Clone(treeKey), slot)
		x.keyBytes += int64(len(treeKey))
	}) {
		return
	}
	place, _ := x.searchApart(key)
	x.apart = slices.Insert(x.apart, place, slot)
}

func (x *plarIndex) delete(key []byte) (ok bool) {
	if withPlarKey(key, func(treeKey art.Key) {
		if _, ok = x.tree.Delete(treeKey); ok {
			x.keyBytes -= int64(len(treeKey))
		}
	}) {
		return ok
	}
	place, ok := x.searchApart(key)
	if ok {
		x.apart = slices.Delete(x.apart, place, place+1)
	}
	return ok
}

func (x *plarIndex) len() int { return x.tree.Size() + len(x.apart) }

func (x *plarIndex) ascend(from []byte, fn func(slot uint32) bool) {
	place, _ := x.searchApart(from)
	rest := x.apart[place:]
	more := true
	x.tree.ForEach(func(node art.Node) bool {
		slot := node.Value().(uint32)
		key := x.slots.key(slot)
		if bytes.Compare(key, from) < 0 {
			return true
		}
		for more && len(rest) > 0 && bytes.Compare(x.slots.key(rest[0]), key) < 0 {
			more = fn(rest[0])
			rest = rest[1:]
		}
		more = more && fn(slot)
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
		slot := node.Value().(uint32)
		key := x.slots.key(slot)
		if from != nil && bytes.Compare(key, from) > 0 {
			return true
		}
		for more && len(rest) > 0 && bytes.Compare(x.slots.key(rest[len(rest)-1]), key) > 0 {
			more = fn(rest[len(rest)-1])
			rest = rest[:len(rest)-1]
		}
		more = more && fn(slot)
		return more
	}, art.TraverseReverse)
	for ; more && len(rest) > 0; rest = rest[:len(rest)-1] {
		more = fn(rest[len(rest)-1])
	}
}

// freed is 0: the tree has every node for itself, and the runtime uses what is
// free again.
func (x *plarIndex) freed() int64 { return 0 }

func (x *plarIndex) bytes() int64 {
	return int64(x.tree.Size())*plarLeafBytes + x.keyBytes + int64(cap(x.apart))*4
}

// find is get: the tree cannot say where a key belongs.
func (x *plarIndex) find(key []byte, _ *indexPlace) (slot uint32, ok bool) { return x.get(key) }

func (x *plarIndex) putAt(key []byte, _ *indexPlace, expires bool) (slot uint32) {
	slot, _ = x.getOrPut(key, expires)
	return slot
}
