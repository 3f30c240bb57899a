package engine

import "sync/atomic"

// Collection is level 2 of the keydir: the ordered, counted set of the elements
// of one key. Every method is O(log n), or O(log n) and what it visits. Guarded
// by the lock of the shard that owns it; the exported methods only read, and may
// run at the same time as each other. A position is counted from 0.
type Collection struct {
	id CollectionID
	// shard is the number of the shard that owns the collection. RENAME changes it.
	shard atomic.Uint32
}

// Element is a copy of what the keydir holds for one element of a collection.
type Element struct {
	// Subkey is valid until the transaction ends or deletes the element. It must
	// not be changed.
	Subkey []byte
	// Size is the length of the value in bytes.
	Size int

	loc   location // where the record is; or the value itself if flagInline
	seq   uint64
	flags uint8
}

// element is what the keydir holds for one element. It does not move while it
// lives.
type element struct {
	loc    location // as entry.loc
	seq    uint64
	size   uint32 // length of the value in bytes
	keyLen uint32 // set and used by the collection alone
	keyRef uint32 // set and used by the collection alone
	flags  uint8  // flagInline
}

// newCollection returns an empty collection. seed is that of the database's hash.
func newCollection(id CollectionID, seed uint64) *Collection { panic("E2") }

// find returns the element with a subkey, or nil. The pointer is valid until the
// element is deleted. Its loc may be changed unless the order is OrderScore.
func (c *Collection) find(subkey []byte) *element { panic("E2") }

// put writes an element, of which subkey is copied if it is new. With OrderScore
// the value is 8 bytes, so it is in v.loc. It reports whether the subkey is new.
func (c *Collection) put(subkey []byte, v element) (e *element, isNew bool) { panic("E2") }

// delete removes an element. It reports whether it existed.
func (c *Collection) delete(subkey []byte) bool { panic("E2") }

// bytes returns the memory that the collection uses.
func (c *Collection) bytes() int64 { panic("E2") }

// ID returns the identity of the collection.
func (c *Collection) ID() CollectionID { return c.id }

// Len returns the number of elements.
func (c *Collection) Len() int { panic("E2") }
