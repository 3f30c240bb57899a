package engine

import "unsafe"

// slotTable holds the entries of the keys of one shard of one keyspace, and the
// keys. An entry stays at its slot, and at its address, while it is in use.
// Guarded by the lock of its shard: at, key, used, cap, len and bytes may run at
// the same time as each other.
type slotTable struct {
	entries slab[entry]
	keys    keyArena
}

// emptyTableBytes is what a table without keys may keep in order not to make it
// again for the next one.
const emptyTableBytes = 2048

// newSlotTable returns an empty table.
func newSlotTable() *slotTable { return &slotTable{} }

// alloc takes an unused slot for key, which it copies, and returns its zeroed
// entry.
func (t *slotTable) alloc(key []byte) (slot uint32, e *entry) {
	slot, e = t.entries.alloc()
	e.keyLen, e.keyRef = uint32(len(key)), t.keys.add(key)
	return slot, e
}

// free gives back a slot in use and its key.
func (t *slotTable) free(slot uint32) {
	e := t.entries.at(slot)
	t.keys.remove(e.keyRef, e.keyLen)
	t.entries.free(slot)
	if t.len() == 0 && t.bytes() > emptyTableBytes {
		*t = slotTable{}
	}
}

// at returns the entry of a slot in use. The pointer is valid until the slot is
// freed.
func (t *slotTable) at(slot uint32) *entry { return t.entries.at(slot) }

// key returns the key of a slot in use, valid until the slot is freed.
func (t *slotTable) key(slot uint32) []byte {
	e := t.entries.at(slot)
	return t.keys.get(e.keyRef, e.keyLen)
}

// used reports whether a slot is in use.
func (t *slotTable) used(slot uint32) bool { return t.entries.isUsed(slot) }

// cap returns the lowest slot above all that are in use.
func (t *slotTable) cap() uint32 { return t.entries.cap() }

// len returns the number of slots in use.
func (t *slotTable) len() int { return t.entries.len() }

// freed returns how much of bytes is room that freed keys left.
func (t *slotTable) freed() int64 { return t.entries.freed() + t.keys.freed() }

// bytes returns the memory that the table uses, keys included.
func (t *slotTable) bytes() int64 {
	return int64(unsafe.Sizeof(*t)) + t.entries.bytes() + t.keys.bytes()
}
