package engine

import "testing"

// A transaction that BeginKey began knows the shard of that key, and asks for the
// shard of any other one, of one in the same buffer, too.
func TestBeginKey(t *testing.T) {
	asked := 0
	db := mustOpen(t, t.TempDir(), Options{Shards: 2, ShardOf: func(key []byte) uint32 {
		asked++
		return uint32(key[0])
	}})
	defer mustClose(t, db)
	long := make([]byte, maxBegunKey+1)
	for _, key := range [][]byte{[]byte("a1"), []byte("b1"), long} {
		asked = 0
		tx := db.BeginKey(key, true)
		var h Head
		if tx.Find(0, key, &h) {
			t.Errorf("%q is there", key)
		}
		if err := tx.Put(0, key, Meta{}, []byte("v")); err != nil {
			t.Fatal(err)
		}
		if len(key) <= maxBegunKey && asked != 1 {
			t.Errorf("the shard of %q was asked for %d times, want once", key, asked)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a key of a shard that is not held could be looked for")
				}
			}()
			key[0]++
			tx.Find(0, key, &h)
		}()
		key[0]--
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	// What was remembered ends with the transaction.
	tx := db.BeginShard(1, false)
	defer tx.Rollback()
	if h, ok := tx.Get(0, []byte("a1")); !ok || h.Size != 1 {
		t.Errorf("a1 is not in its shard: %+v, %v", h, ok)
	}
}
