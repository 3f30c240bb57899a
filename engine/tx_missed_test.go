package engine

import (
	"bytes"
	"fmt"
	"testing"
)

// What a transaction remembers of a key that it did not find is forgotten when the
// index changes, when another key is looked for, and when the caller's buffer says
// something else by then.
func TestPutAfterMiss(t *testing.T) {
	for _, index := range []IndexType{IndexART, IndexPlar} {
		t.Run(fmt.Sprint("index type ", index), func(t *testing.T) {
			db := mustOpen(t, t.TempDir(), Options{Shards: 1, Index: index})
			defer mustClose(t, db)
			tx := db.BeginShard(0, true)
			want := map[string]bool{}
			put := func(key []byte) {
				t.Helper()
				if err := tx.Put(0, key, Meta{}, key); err != nil {
					t.Fatal(err)
				}
				want[string(key)] = true
			}
			buf := make([]byte, 0, 300)
			var h Head
			for i := range 3000 {
				other := fmt.Appendf(nil, "key:%d", i*7919%3000)
				buf = fmt.Appendf(buf[:0], "key:%d", i)
				tx.Find(0, buf, &h)
				switch i % 5 {
				case 0: // the tree changes
					put(other)
				case 1: // another key was looked for last
					tx.Find(0, other, &h)
				case 2: // the buffer changes
					buf = fmt.Appendf(buf[:0], "yek:%d", i)
				case 3: // a key too long to be remembered
					buf = append(buf, bytes.Repeat([]byte{'x'}, maxMissedKey)...)
					tx.Find(0, buf, &h)
				}
				put(buf)
			}
			for key := range want {
				if !tx.Find(0, []byte(key), &h) || h.Size != len(key) {
					t.Fatalf("%q is not there, or not itself: size %d", key, h.Size)
				}
			}
			if got := tx.ShardLen(0, 0); got != len(want) {
				t.Errorf("%d keys, want %d", got, len(want))
			}
			tx.Rollback()
			if got := db.Len(0); got != 0 {
				t.Errorf("%d keys after the rollback", got)
			}
		})
	}
}
