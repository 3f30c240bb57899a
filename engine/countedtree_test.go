package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCountedTreeCollisions: hashes that are equal, of which no other test finds
// any. They are spread evenly, or at the ends of the range.
func TestCountedTreeCollisions(t *testing.T) {
	type item struct {
		key    uint64
		subkey string
		ref    uint32
	}
	compare := func(a, b item) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.subkey, b.subkey)) }
	for _, keys := range []int{1, 2, 3, 40, 400} {
		rnd := rand.New(rand.NewPCG(1, uint64(keys)))
		var table elementTable
		tree := countedTree{elems: &table, even: true}
		var model []item
		check := func() {
			checkTree(t, &tree)
			for i, want := range model {
				if ref, ok := tree.find(want.key, []byte(want.subkey)); !ok || ref != want.ref || tree.at(i) != want.ref {
					t.Fatalf("%d keys: element %d of %d, %x %q: found %v at %d, %d is there; want %d", keys, i, len(model), want.key, want.subkey, ok, ref, tree.at(i), want.ref)
				}
			}
			var up, down []uint32
			tree.ascend(0, func(_ uint64, ref uint32) bool { up = append(up, ref); return true })
			var p treePath
			if len(model) > 0 {
				tree.searchAt(&p, len(model)-1)
			}
			for ; p.leaf != nil; tree.prevLeaf(&p) {
				for i := p.place; i >= 0; i-- {
					down = append(down, p.leaf.refs()[i])
				}
			}
			slices.Reverse(down)
			if !slices.Equal(up, down) || !slices.EqualFunc(up, model, func(ref uint32, want item) bool { return ref == want.ref }) {
				t.Fatalf("%d keys: %d elements: %d on the way up, %d on the way down", keys, len(model), len(up), len(down))
			}
		}
		for step := range 8000 {
			it := item{key: ^uint64(0) / uint64(keys) * rnd.Uint64N(uint64(keys)+1), subkey: fmt.Sprint(rnd.IntN(3000))}
			place, found := slices.BinarySearchFunc(model, it, compare)
			if position, ok := tree.rank(it.key, []byte(it.subkey)); position != place || ok != found {
				t.Fatalf("%d keys: rank of %x %q is %d, %v; want %d, %v", keys, it.key, it.subkey, position, ok, place, found)
			}
			switch growing := step < 4000; {
			case !found && (growing || rnd.IntN(4) == 0):
				it.ref, _ = table.add(&element{}, []byte(it.subkey))
				tree.insert(it.key, []byte(it.subkey), it.ref)
				model = slices.Insert(model, place, it)
			case len(model) > 0 && (!growing || rnd.IntN(4) == 0):
				place = min(place, len(model)-1)
				it = model[place]
				tree.remove(it.key, []byte(it.subkey))
				table.free(it.ref)
				model = slices.Delete(model, place, place+1)
			}
			if step%400 == 0 {
				check()
			}
		}
		check()
	}
}
