package engine

import "testing"

func TestSlabPages(t *testing.T) {
	next := uint32(0)
	for page := range uint32(20) {
		if pageBase(page) != next {
			t.Fatalf("page %d begins at %d, want %d", page, pageBase(page), next)
		}
		for place := range pagePlaces(page) {
			if p, at := pageOf(next); p != page || at != place {
				t.Fatalf("slot %d is at %d in page %d, want %d in %d", next, at, p, place, page)
			}
			next++
		}
	}
}
