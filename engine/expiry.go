package engine

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// expiryHeap says which key of a shard expires first. It is lazy: an item is
// pushed whenever a key gets an expiry, and never taken out when that expiry
// changes or the key goes; valid tells the items that still count from the stale
// ones. An item is stale for good, or counts again because its slot has got
// just that expiry again; either is right. Guarded by the lock of its shard.
type expiryHeap struct {
	items []expiryItem // a binary heap
	limit int          // length at which push looks for stale items
	stale int          // how many are, about
	valid func(space, slot uint32, expireMs int64) bool

	total   *atomic.Int64 // gets the memory of the heap; nil: nobody asks for it
	counted int64         // what is in total
}

// expiryItem says that the key in slot of space expires at expireMs.
type expiryItem struct {
	expireMs int64
	space    uint32
	slot     uint32
}

const (
	expiryItemBytes = 16
	expiryMinLimit  = 32
)

// newExpiryHeap returns an empty heap. valid reports whether the key in slot of
// space exists and expires at expireMs; it is called within push, peek and pop.
func newExpiryHeap(valid func(space, slot uint32, expireMs int64) bool) *expiryHeap {
	return &expiryHeap{limit: expiryMinLimit, valid: valid}
}

func compareExpiry(a, b expiryItem) int {
	return cmp.Or(cmp.Compare(a.expireMs, b.expireMs), cmp.Compare(a.space, b.space), cmp.Compare(a.slot, b.slot))
}

// push adds an expiry of the key in slot of space.
func (h *expiryHeap) push(expireMs int64, space, slot uint32) {
	if len(h.items) >= h.limit {
		h.rebuild()
	}
	h.items = append(h.items, expiryItem{expireMs, space, slot})
	h.count()
	i := len(h.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if compareExpiry(h.items[parent], h.items[i]) <= 0 {
			return
		}
		h.items[parent], h.items[i] = h.items[i], h.items[parent]
		i = parent
	}
}

// order makes a heap of items that were appended to items in any order.
func (h *expiryHeap) order() {
	slices.SortFunc(h.items, compareExpiry)
	h.limit = max(expiryMinLimit, 2*len(h.items))
	h.count()
}

// peek returns the earliest expiry that counts, and leaves it in the heap.
func (h *expiryHeap) peek() (item expiryItem, ok bool) {
	for len(h.items) > 0 {
		item = h.items[0]
		if h.valid(item.space, item.slot, item.expireMs) {
			return item, true
		}
		h.removeFirst()
	}
	return expiryItem{}, false
}

// pop takes the earliest expiry that counts out of the heap.
func (h *expiryHeap) pop() (item expiryItem, ok bool) {
	item, ok = h.peek()
	if ok {
		h.removeFirst()
	}
	return item, ok
}

// len returns the number of items, stale ones included.
func (h *expiryHeap) len() int { return len(h.items) }

// bytes returns the memory that the heap uses.
func (h *expiryHeap) bytes() int64 { return int64(cap(h.items)) * expiryItemBytes }

// noteStale says that an item counts no more. When most of them do not, they are
// dropped: the memory of keys that were deleted is not to wait for new ones.
func (h *expiryHeap) noteStale() {
	if h.stale++; h.stale > expiryMinLimit && h.stale > len(h.items)/2 {
		h.rebuild()
	}
}

// count brings total up to date.
func (h *expiryHeap) count() {
	if n := h.bytes(); n != h.counted && h.total != nil {
		h.total.Add(n - h.counted)
		h.counted = n
	}
}

// rebuild drops the stale items, and items that say the same thing twice: those
// of a key that was given the same expiry again and again are not stale. The
// heap then may grow to twice what is left, which makes the cost O(log n) a push.
func (h *expiryHeap) rebuild() {
	h.items = slices.DeleteFunc(h.items, func(item expiryItem) bool {
		return !h.valid(item.space, item.slot, item.expireMs)
	})
	slices.SortFunc(h.items, compareExpiry) // a sorted slice is a heap
	h.items = slices.Compact(h.items)
	h.limit = max(expiryMinLimit, 2*len(h.items))
	h.stale = 0
	h.shrink()
}

// removeFirst takes the first item out, whether it counts or not.
func (h *expiryHeap) removeFirst() {
	n := len(h.items) - 1
	h.stale-- // it was, or, for pop, is about to be
	h.items[0] = h.items[n]
	h.items = h.items[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && compareExpiry(h.items[child+1], h.items[child]) < 0 {
			child++
		}
		if compareExpiry(h.items[i], h.items[child]) <= 0 {
			break
		}
		h.items[i], h.items[child] = h.items[child], h.items[i]
		i = child
	}
	h.shrink()
}

// shrink gives memory back when most of it is unused.
func (h *expiryHeap) shrink() {
	if n := len(h.items); cap(h.items) > expiryMinLimit && n < cap(h.items)/4 {
		h.items = append(make([]expiryItem, 0, max(expiryMinLimit, 2*n)), h.items...)
		h.limit = max(expiryMinLimit, 2*n)
	}
	h.count()
}
