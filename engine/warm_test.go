package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"bitkv/internal/testenv"
)

// warmTestKeys returns keys that take every way through a tree: some that are put
// and some that are not, the empty one, one that is the beginning of others, and
// one that is not in a cell of the arena.
func warmTestKeys() (there, missing [][]byte) {
	there = [][]byte{{}, []byte("k"), []byte("key"), []byte("key:"), bytes.Repeat([]byte("long"), 1000)}
	missing = [][]byte{[]byte("ke"), []byte("key:1x"), []byte("x"), bytes.Repeat([]byte("long"), 1001), {0}}
	for i := range 300 {
		there = append(there, fmt.Appendf(nil, "key:%d", i))
		missing = append(missing, fmt.Appendf(nil, "key:%d:%d", i, i))
		there = append(there, []byte{byte(i), 'x', byte(i >> 8)})
	}
	return there, missing
}

// Warm finds its way for keys that are there and keys that are not, changes
// nothing, and does not allocate.
func TestWarm(t *testing.T) {
	indexes(t, func(t *testing.T, index IndexType) {
		t.Helper()
		for _, shards := range []int{1, 64} {
			db := mustOpen(t, t.TempDir(), Options{Index: index, Shards: shards, Spaces: 2, NoMmap: shards == 64})
			there, missing := warmTestKeys()
			for i, key := range there {
				if err := db.Put(key, fmt.Appendf(nil, "value %d", i)); err != nil {
					t.Fatal(err)
				}
			}
			for i, key := range missing {
				if err := db.Put(key, nil); err != nil {
					t.Fatal(err)
				}
				if err := db.Delete(key); err != nil {
					t.Fatalf("key %d: %v", i, err)
				}
			}
			keys := append(append([][]byte{}, there...), missing...)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			for n := range 40 {
				db.Warm(0, keys[:n], n%2 == 0, nil)
			}
			db.Warm(1, keys, true, nil)
			if got := testenv.Allocations(func() { db.Warm(0, keys, true, nil) }); got != 0 {
				t.Errorf("%v allocations, want 0", got)
			}
			if got := db.Len(0); got != len(there) {
				t.Errorf("%d keys after it, want %d", got, len(there))
			}
			for i, key := range there {
				if got, err := db.Get(key); err != nil || string(got) != fmt.Sprintf("value %d", i) {
					t.Fatalf("key %d is %q, %v", i, got, err)
				}
			}
			mustClose(t, db)
		}
	})
}

// A walk ends at the entry that a look-up finds, whatever the nodes on the way.
func TestWarmFollowsTheTree(t *testing.T) {
	table := newTable(newSpace(0, 0), IndexART)
	there, missing := warmTestKeys()
	for _, key := range there {
		table.index.getOrPut(key, false)
	}
	x := table.index.(*artIndex)
	for _, key := range append(there, missing...) {
		w := warmKey{key: key, index: x, table: table, ref: x.root}
		for w.ref != 0 && w.ref&artLeaf == 0 {
			w.step()
		}
		if slot, ok := x.get(key); ok && (w.ref == 0 || w.ref.slot() != slot) {
			t.Errorf("the walk to %s ends at %x, want slot %d", short(key), w.ref, slot)
		}
	}
}

// Warm beside writers, within a transaction that holds the shards, and while
// others hold them, neither waits nor races.
func TestWarmBesideWriters(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{Shards: 4})
	defer mustClose(t, db)
	keys, missing := warmTestKeys()
	keys = append(keys, missing...)
	var set ShardSet
	set.AddAll(4)
	tx := db.Begin(&set, true)
	if err := tx.Put(0, keys[0], Meta{}, nil); err != nil {
		t.Fatal(err)
	}
	db.Warm(0, keys, true, nil)
	tx.Rollback()
	tx = db.Begin(&set, false)
	db.Warm(0, keys, true, nil)
	tx.Rollback()

	var writers, warmers sync.WaitGroup
	stop := make(chan struct{})
	warmers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				db.Warm(0, keys, true, nil)
			}
		}
	})
	for w := range 2 {
		writers.Go(func() {
			for i := w; i < 4*len(keys); i += 2 {
				key := keys[i%len(keys)]
				if err := db.Put(key, key[:min(len(key), 20)]); err != nil {
					t.Errorf("put %s: %v", short(key), err)
				}
				if i%3 == 0 {
					if err := db.Delete(key); err != nil {
						t.Errorf("delete %s: %v", short(key), err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	warmers.Wait()
}

// What a transaction finds does not depend on its hint: neither if that is right, nor
// if it is of another key, of a slot that is unused or of none, or of another keyspace.
func TestHint(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{Shards: 2, Spaces: 2})
	defer mustClose(t, db)
	there, missing := warmTestKeys()
	for i, key := range there {
		if err := db.Put(key, fmt.Appendf(nil, "a longer value %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	keys := append(append([][]byte{}, there...), missing...)
	hints := make([]Hint, len(keys))
	db.Warm(0, keys, false, hints)
	for i, hint := range hints[:len(there)] {
		if hint == 0 {
			t.Fatalf("no hint for key %d", i)
		}
	}
	find := func(space, i int, hint Hint, write bool) {
		t.Helper()
		tx := db.BeginKey(keys[i], write)
		defer tx.Rollback()
		tx.Hint(hint)
		for range 2 {
			h, ok := tx.Get(space, keys[i])
			if want := space == 0 && i < len(there); ok != want {
				t.Fatalf("key %d with hint %d, write %v: found %v, want %v", i, hint, write, ok, want)
			}
			if !ok {
				continue
			}
			if got, err := tx.AppendValue(nil, &h); err != nil || string(got) != fmt.Sprintf("a longer value %d", i) {
				t.Fatalf("key %d with hint %d, write %v: %q, %v", i, hint, write, got, err)
			}
		}
	}
	for _, write := range []bool{false, true} {
		for i := range keys {
			for _, hint := range []Hint{hints[i], hints[(i+1)%len(keys)], 0, 1, 1<<31 - 1, 1<<32 - 1} {
				find(0, i, hint, write)
				find(1, i, hint, write)
			}
		}
	}
	// A key that was deleted is not found in the slot that it had, whoever has it now.
	gone := there[0]
	if err := db.Delete(gone); err != nil {
		t.Fatal(err)
	}
	for _, write := range []bool{false, true} {
		tx := db.BeginKey(gone, write)
		tx.Hint(hints[0])
		if h, ok := tx.Get(0, gone); ok {
			t.Errorf("a deleted key was found: %+v", h)
		}
		tx.Rollback()
	}
}

// WarmElements goes where a search goes, for elements that are there and those that
// are not, changes nothing, and does not allocate.
func TestWarmElements(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{})
	defer mustClose(t, db)
	key, none := []byte("collection"), []byte("none")
	for _, order := range []Order{OrderHash, OrderScore, OrderBytes} {
		var subkeys [][]byte
		tx := db.BeginKey(key, true)
		c := tx.NewCollection(order)
		for i := range 2 * leastWarmElements {
			subkey := fmt.Appendf(nil, "element %d", i)
			subkeys = append(subkeys, subkey)
			if i%2 == 0 {
				continue
			}
			if _, err := tx.PutElement(c, subkey, []byte("a value.")); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.PutCollection(0, key, Meta{}, c, nil); err != nil {
			t.Fatal(err)
		}
		db.WarmElements(0, key, subkeys) // held for writing: nothing to be done
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		db.WarmElements(0, none, subkeys)
		if got := testenv.Allocations(func() { db.WarmElements(0, key, subkeys) }); got != 0 {
			t.Errorf("%v allocations, want 0", got)
		}
		if got := c.Len(); got != leastWarmElements {
			t.Errorf("%d elements after it, want %d", got, leastWarmElements)
		}
		if order == OrderBytes {
			continue
		}
		group := make([]warmElement, len(subkeys))
		c.warm(subkeys, group)
		for i, w := range group {
			var s spot
			if c.search(&s, subkeys[i]); s.path.leaf != w.leaf || s.path.place != w.place {
				t.Errorf("subkey %d is to be at place %d of %p, want %d of %p", i, w.place, w.leaf, s.path.place, s.path.leaf)
			}
		}
	}
}
