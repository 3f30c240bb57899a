package engine

// The keydir has two levels. Level 1 maps the keys of one shard of one keyspace
// to slots: an index gives the order, a slotTable holds the entries at addresses
// that do not move while the key lives (so that a scan's cursor is a slot number
// and a random key is a random slot). Level 2 is a collection: the ordered,
// counted set of the elements of one key.

// index is the ordered map from key to slot of level 1. An implementation keeps
// no copy of a key where it can ask the slotTable for it, which newIndex gives it.
// Guarded by the lock of its shard; get, find, ascend and descend may run at the same
// time as each other. Every implementation passes the suite in keydir_test.go.
type index interface {
	// get returns the slot of key.
	get(key []byte) (slot uint32, ok bool)
	// getOrPut returns the slot of key. If the index does not have it, it adds it,
	// with a slot that it takes from the table: added is true, the entry is zero.
	// expires is as for slotTable.alloc.
	getOrPut(key []byte, expires bool) (slot uint32, added bool)
	// find is get, but if the index does not have key, it notes in p where it belongs.
	find(key []byte, p *indexPlace) (slot uint32, ok bool)
	// putAt adds a key that find did not find since the index was last changed, as
	// getOrPut does. p is what find noted.
	putAt(key []byte, p *indexPlace, expires bool) (slot uint32)
	// delete removes key. Its slot must still be in use, and is left so. It reports
	// whether the key was there.
	delete(key []byte) bool
	// len is the number of keys.
	len() int
	// ascend calls fn for each key >= from in ascending order of bytes until fn
	// returns false. A nil from is the lowest key. fn must not change the index.
	ascend(from []byte, fn func(slot uint32) bool)
	// descend calls fn for each key <= from in descending order. A nil from is
	// the highest key.
	descend(from []byte, fn func(slot uint32) bool)
	// bytes is the memory the index uses, without the keys.
	bytes() int64
	// freed is how much of bytes is room that deleted keys left.
	freed() int64
}

// indexPlace is where a key belongs that an index does not have: a note of find for
// putAt, in the caller's memory. Each kind of index has a field of its own, or none.
type indexPlace struct {
	art artPlace
}

// newIndex returns an empty index of the given type for the keys in slots.
func newIndex(t IndexType, slots *slotTable) index {
	if t == IndexPlar {
		return newPlarIndex(slots)
	}
	return newARTIndex(slots)
}

// ascendPrefix calls fn for each key that begins with prefix, in order.
func ascendPrefix(x index, slots *slotTable, prefix []byte, fn func(slot uint32) bool) {
	x.ascend(prefix, func(slot uint32) bool {
		key := slots.key(slot)
		if len(key) < len(prefix) || string(key[:len(prefix)]) != string(prefix) {
			return false
		}
		return fn(slot)
	})
}
