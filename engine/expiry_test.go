package engine

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// expiryModel is what the keydir would say: the expiry of each slot of a space.
type expiryModel map[expiryItem]bool // of all that count

func (m expiryModel) valid(space, slot uint32, expireMs int64) bool {
	return m[expiryItem{expireMs, space, slot}]
}

func (m expiryModel) earliest() (expiryItem, bool) {
	if len(m) == 0 {
		return expiryItem{}, false
	}
	items := make([]expiryItem, 0, len(m))
	for item := range m {
		items = append(items, item)
	}
	return slices.MinFunc(items, compareExpiry), true
}

func TestExpiryHeapProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := expiryModel{}
		h := newExpiryHeap(m.valid)
		for range rapid.IntRange(0, 300).Draw(rt, "steps") {
			space := rapid.Uint32Range(0, 1).Draw(rt, "space")
			slot := rapid.Uint32Range(0, 9).Draw(rt, "slot")
			// A key has one expiry at a time.
			for item := range m {
				if item.space == space && item.slot == slot {
					delete(m, item)
				}
			}
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0: // It is persisted or deleted, which is not told to the heap.
			case 1:
				want, wantOK := m.earliest()
				got, ok := h.pop()
				if got != want || ok != wantOK {
					rt.Fatalf("pop is %v, %v, want %v, %v", got, ok, want, wantOK)
				}
				delete(m, want)
			default:
				expireMs := rapid.Int64Range(-3, 3).Draw(rt, "expireMs")
				m[expiryItem{expireMs, space, slot}] = true
				h.push(expireMs, space, slot)
			}
			if want, wantOK := m.earliest(); true {
				if got, ok := h.peek(); got != want || ok != wantOK {
					rt.Fatalf("peek is %v, %v, want %v, %v", got, ok, want, wantOK)
				}
			}
		}
	})
}

// Refreshing the expiry of a few keys for ever takes no memory, whether it is
// another one each time or the same.
func TestExpiryHeapRefresh(t *testing.T) {
	for _, step := range []int64{0, 1, -1} {
		current := map[uint32]int64{}
		h := newExpiryHeap(func(_, slot uint32, expireMs int64) bool {
			ms, ok := current[slot]
			return ok && ms == expireMs
		})
		for i := range int64(300_000) {
			slot := uint32(i % 10)
			current[slot] = 1_000_000 + i*step
			h.push(current[slot], 0, slot)
			if h.bytes() > 2048 {
				t.Fatalf("step %d: %d bytes for 10 keys after %d refreshes", step, h.bytes(), i+1)
			}
		}
		if _, ok := h.pop(); !ok {
			t.Fatalf("step %d: the heap lost its keys", step)
		}
	}
}

func TestExpiryHeapGivesBack(t *testing.T) {
	const n = 100_000
	h := newExpiryHeap(func(_, _ uint32, _ int64) bool { return true })
	for i := range uint32(n) {
		h.push(int64(i*7919%n), 0, i)
	}
	last := int64(-1)
	for range n {
		item, ok := h.pop()
		if !ok || item.expireMs < last {
			t.Fatalf("pop is %v, %v after %d", item, ok, last)
		}
		last = item.expireMs
	}
	if h.len() != 0 || h.bytes() > 1024 {
		t.Fatalf("an empty heap has %d items in %d bytes", h.len(), h.bytes())
	}
}
