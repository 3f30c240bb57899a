package engine

import (
	"fmt"
	"runtime"
	"testing"
)

// heapInUse returns what is live on the Go heap.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// held is all that a database says it holds.
func held(db *DB) int64 {
	m := db.Memory()
	return m.Keys + m.Holes + m.Collections + m.Expiry + m.Tail + m.Cache + m.Fixed
}

// memoryTest fills a database.
type memoryTest struct {
	t  *testing.T
	db *DB
}

// memoryShapes fill a database in ways that cost memory in different places.
var memoryShapes = []struct {
	name string
	fill func(m memoryTest)
}{
	{"short keys", func(m memoryTest) {
		m.putMany(200_000, func(i int) (string, Meta, string) {
			return fmt.Sprintf("key:%08d", i), Meta{Tag: 1}, "a value of more than eight bytes"
		})
	}},
	{"long keys", func(m memoryTest) {
		m.putMany(30_000, func(i int) (string, Meta, string) {
			return fmt.Sprintf("%0300d", i), Meta{Tag: 1}, "v"
		})
	}},
	{"keys on the heap", func(m memoryTest) {
		m.putMany(5_000, func(i int) (string, Meta, string) {
			return fmt.Sprintf("%01500d", i), Meta{Tag: 1}, "v"
		})
	}},
	{"keys that expire", func(m memoryTest) {
		m.putMany(100_000, func(i int) (string, Meta, string) {
			return fmt.Sprintf("key:%08d", i), Meta{Tag: 1, ExpireMs: 1 << 50}, "v"
		})
	}},
	{"a large collection", func(m memoryTest) { m.putCollections(OrderHash, 1, 150_000, 30) }},
	{"a large sorted collection", func(m memoryTest) { m.putCollections(OrderScore, 1, 150_000, 8) }},
	{"many collections", func(m memoryTest) { m.putCollections(OrderHash, 10_000, 10, 30) }},
	{"half of the keys deleted", func(m memoryTest) {
		key := func(i int) string { return fmt.Sprintf("key:%08d", i) }
		m.putMany(200_000, func(i int) (string, Meta, string) { return key(i), Meta{Tag: 1}, "v" })
		for i := 0; i < 200_000; i += 2 {
			m.update([]byte(key(i)), func(tx *Tx) { tx.Delete(0, []byte(key(i))) })
		}
	}},
}

func (m memoryTest) putMany(n int, row func(i int) (key string, meta Meta, value string)) {
	for i := range n {
		key, meta, value := row(i)
		m.update([]byte(key), func(tx *Tx) {
			if err := tx.Put(0, []byte(key), meta, []byte(value)); err != nil {
				m.t.Fatal(err)
			}
		})
	}
}

func (m memoryTest) putCollections(order Order, colls, elements, valueLen int) {
	value := make([]byte, valueLen)
	for i := range colls {
		key := fmt.Appendf(nil, "coll:%d", i)
		m.update(key, func(tx *Tx) {
			c := tx.NewCollection(order)
			for j := range elements {
				if _, err := tx.PutElement(c, fmt.Appendf(nil, "element:%d", j*7919%elements), value); err != nil {
					m.t.Fatal(err)
				}
			}
			if err := tx.PutCollection(0, key, Meta{Tag: 2}, c, nil); err != nil {
				m.t.Fatal(err)
			}
		})
	}
}

// update runs fn in a transaction over the shard of a key.
func (m memoryTest) update(key []byte, fn func(tx *Tx)) {
	var set ShardSet
	set.Add(m.db.ShardOf(key))
	tx := m.db.Begin(&set, true)
	fn(tx)
	if _, err := tx.Commit(); err != nil {
		m.t.Fatal(err)
	}
}

// TestMemory compares what the database counts with what the heap holds, as it is
// filled, opened again and emptied.
func TestMemory(t *testing.T) {
	for _, index := range []IndexType{IndexART, IndexPlar} {
		for _, shape := range memoryShapes {
			t.Run(string(index)+"/"+shape.name, func(t *testing.T) { testMemory(t, index, shape.fill) })
		}
	}
}

func testMemory(t *testing.T, index IndexType, fill func(m memoryTest)) {
	t.Helper()
	dir, opt := t.TempDir(), Options{Index: index, ScrubInterval: -1}
	before := heapInUse()
	db := mustOpen(t, dir, opt)
	check := func(when string) {
		t.Helper()
		var got, want int64
		waitFor(t, "the background gives back no buffer while the heap is counted", func() bool {
			got = held(db)
			want = heapInUse() - before
			return held(db) == got
		})
		slack := want/10 + 3<<19 // an empty database counts what its first keys will take
		if got < want-slack || got > want+slack {
			t.Errorf("%s: %d bytes are counted, the heap holds %d: %+v", when, got, want, db.Memory())
		}
		t.Logf("%s: counted %d, heap %d, %+v", when, got, want, db.Memory())
	}
	check("empty")
	fill(memoryTest{t, db})
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	check("filled")
	full := db.MemoryUsed()
	mustClose(t, db)
	db = mustOpen(t, dir, opt)
	defer mustClose(t, db)
	check("opened again")
	inTx(t, db, func(tx *Tx) { tx.ClearSpace(0) })
	waitFor(t, fmt.Sprintf("of %d bytes nothing is left after a clear", full), func() bool {
		return db.MemoryUsed()-db.mem.fixed-db.mem.expiry.Load() == 0
	})
}
