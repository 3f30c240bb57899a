package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFinder compares with find: subkeys that are there and others, in ascending
// order of their hashes and at random, among few different hashes and many.
func TestFinder(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	for _, n := range []int{0, 1, 2, 63, 64, 65, 1000, 20_000} {
		for _, hashes := range []uint64{1, 3, 50, 1 << 60} {
			c := newCollection(CollectionID(OrderHash), seed)
			type sought struct {
				hash   uint64
				subkey []byte
			}
			var all []sought
			for i := range n {
				s := sought{random.Uint64N(hashes), fmt.Appendf(nil, "m%d", i)}
				if i%2 == 0 {
					ref, _ := c.elems.add(&element{}, s.subkey)
					c.main.insert(s.hash, s.subkey, ref)
				}
				all = append(all, s)
			}
			f := c.Finder()
			check := func(s sought) {
				t.Helper()
				_, want := c.main.find(s.hash, s.subkey)
				if got := f.Has(s.hash, s.subkey); got != want {
					t.Fatalf("seed %d, %d elements, %d hashes: Has(%d, %s) is %v", seed, n, hashes, s.hash, s.subkey, got)
				}
			}
			for range 2 * n {
				check(all[random.IntN(n)])
				check(sought{random.Uint64N(hashes), []byte("missing")})
			}
			other := newCollection(CollectionID(OrderHash), seed)
			for i, s := range all {
				ref, _ := other.elems.add(&element{}, s.subkey)
				other.main.insert(s.hash, s.subkey, ref)
				if i > 5000 {
					break
				}
			}
			other.AscendHash(0, func(hash uint64, e Element) bool {
				check(sought{hash, e.Subkey})
				return true
			})
		}
	}
}
