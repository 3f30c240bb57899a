package engine

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// noShard is the owner of a collection that no key names yet.
const noShard = 1<<32 - 1

const (
	collPageBits  = 9
	collPageSlots = 1 << collPageBits
)

// collRegistry maps the number in entry.coll, and a CollectionID, to the
// collection. at needs no lock; everything else takes mu.
type collRegistry struct {
	pages atomic.Pointer[[]*collPage] // immutable slice, grown by a copy

	mu   sync.Mutex // guards following; taken after any shard lock
	byID map[CollectionID]uint32
	free []uint32
	next uint32
}

type collPage [collPageSlots]collSlot

type collSlot struct {
	coll  atomic.Pointer[Collection]
	names atomic.Int32 // heads that name it: 1, or 0, or 2 within a transaction
}

func (r *collRegistry) init() {
	r.byID = make(map[CollectionID]uint32)
	r.next = 1 // 0 means none
	r.pages.Store(&[]*collPage{})
}

func (r *collRegistry) slot(n uint32) *collSlot {
	return &(*r.pages.Load())[n>>collPageBits][n&(collPageSlots-1)]
}

// numbers is for a loop over the numbers that were given when it began, used or not.
func (r *collRegistry) numbers() iter.Seq[uint32] {
	r.mu.Lock()
	next := r.next
	r.mu.Unlock()
	return func(yield func(n uint32) bool) {
		for n := uint32(1); n < next && yield(n); n++ {
		}
	}
}

// at returns the collection of a number that an entry holds, or nil.
func (r *collRegistry) at(n uint32) *Collection { return r.slot(n).coll.Load() }

// add gives c a number.
func (r *collRegistry) add(c *Collection) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var n uint32
	if k := len(r.free); k > 0 {
		n, r.free = r.free[k-1], r.free[:k-1]
	} else {
		n = r.next
		r.next++
		if pages := *r.pages.Load(); int(n>>collPageBits) == len(pages) {
			grown := append(slices.Clip(pages), new(collPage))
			r.pages.Store(&grown)
		}
	}
	s := r.slot(n)
	s.names.Store(0)
	s.coll.Store(c)
	r.byID[c.id] = n
	return n
}

// get returns the collection of an id, or nil. Its owner may drop it unless the
// caller holds the lock of its shard.
func (r *collRegistry) get(id CollectionID) *Collection {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.byID[id]
	if !ok {
		return nil
	}
	return r.at(n)
}

// slotOf returns the number of a collection.
func (r *collRegistry) slotOf(c *Collection) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[c.id]
}

// moveName says that a head of a shard names collection to instead of from; 0 is
// none. REQUIRES: the locks of the shards that own them are held.
func (r *collRegistry) moveName(from, to uint32, shard int) {
	if from != 0 {
		r.slot(from).names.Add(-1)
	}
	if to != 0 {
		s := r.slot(to)
		s.names.Add(1)
		s.coll.Load().shard.Store(uint32(shard))
	}
}

// removeUnnamed takes c out unless a head names it. It reports whether it did.
func (r *collRegistry) removeUnnamed(c *Collection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.byID[c.id]
	if !ok || r.slot(n).names.Load() != 0 {
		return false
	}
	r.removeLocked(c.id, n)
	return true
}

// remove takes c out, named or not. It reports whether it was there.
func (r *collRegistry) remove(c *Collection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.byID[c.id]
	if ok {
		r.removeLocked(c.id, n)
	}
	return ok
}

func (r *collRegistry) removeLocked(id CollectionID, n uint32) {
	delete(r.byID, id)
	s := r.slot(n)
	s.coll.Store(nil)
	s.names.Store(0)
	r.free = append(r.free, n)
}

// len returns the number of collections.
func (r *collRegistry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byID)
}
