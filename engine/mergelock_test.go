package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestMergeBatches merges records of every size about a batch's, which are in
// frames of their own and in one frame.
func TestMergeBatches(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, Options{})
	want := map[string][]byte{}
	put := func(key string, size int) {
		want[key] = bytes.Repeat([]byte{byte(len(want))}, size)
		if err := db.Put([]byte(key), want[key]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 * mergeJudgeRecords {
		put(fmt.Sprint("small:", i), i%20)
	}
	for _, size := range []int{mergeJudgeBytes - 100, mergeJudgeBytes - 1, mergeJudgeBytes, mergeJudgeBytes + 1, 3 * mergeJudgeBytes} {
		put(fmt.Sprint("large:", size), size)
		put(fmt.Sprint("after:", size), 10)
	}
	batch := db.NewBatch(BatchOptions{})
	for i := range 3 * mergeJudgeRecords {
		key := fmt.Sprint("batch:", i)
		want[key] = fmt.Append(nil, i)
		if i%500 == 0 {
			want[key] = make([]byte, 2*mergeJudgeBytes)
		}
		if err := batch.Put([]byte(key), want[key]); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * mergeJudgeRecords {
		key := fmt.Sprint("small:", i)
		delete(want, key)
		if err := db.Delete([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		t.Helper()
		if n := db.Len(0); n != len(want) {
			t.Errorf("%s: %d keys, want %d", when, n, len(want))
		}
		for key, value := range want {
			if got, err := db.Get([]byte(key)); err != nil || !bytes.Equal(got, value) {
				t.Fatalf("%s: %s has %d bytes (%v), want %d", when, key, len(got), err, len(value))
			}
		}
	}
	for round := range 2 {
		if err := db.Merge(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprint("merged ", round))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, dir, Options{})
		check(fmt.Sprint("opened ", round))
	}
	mustClose(t, db)
}

// keyOfOtherShard returns a key that is not in the shard of key.
func keyOfOtherShard(db *DB, key []byte) []byte {
	other := []byte("other 0")
	for i := 1; db.shardOf(other) == db.shardOf(key); i++ {
		other = fmt.Append(nil, "other ", i)
	}
	return other
}

// TestLockRun sees that the lock is held for the records of one shard, for so many
// of them, and never for two shards.
func TestLockRun(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{})
	t.Cleanup(func() { mustClose(t, db) })
	one := []byte("one")
	other := keyOfOtherShard(db, one)
	free := func(key []byte) bool {
		s := db.shardOf(key)
		if !s.mu.TryLock() {
			return false
		}
		s.mu.Unlock()
		return true
	}
	for _, write := range []bool{false, true} {
		run := lockRun{db: db, write: write}
		for i := range 3 * lockRunRecords {
			if s := run.ofKey(one); s != db.shardOf(one) || free(one) || !free(other) {
				t.Fatalf("write %v, record %d: the wrong lock is held", write, i)
			}
			if want := i%lockRunRecords + 1; run.count != want {
				t.Fatalf("write %v, record %d: the lock was taken for %d, want %d", write, i, run.count, want)
			}
		}
		run.ofKey(other)
		if !free(one) || free(other) {
			t.Fatalf("write %v: the lock did not go to the other shard", write)
		}
		if run.collection(1<<40) != nil {
			t.Fatalf("write %v: a collection that does not exist was found", write)
		}
		run.leave()
		run.leave()
		if !free(one) || !free(other) {
			t.Fatalf("write %v: a lock is still held", write)
		}
	}
}

// TestLockRunCollection follows a collection to the shard that it is renamed to, and
// to its end.
func TestLockRunCollection(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{})
	t.Cleanup(func() { mustClose(t, db) })
	from := []byte("from")
	to := keyOfOtherShard(db, from)
	write := func(fn func(tx *Tx) error) {
		t.Helper()
		tx := beginAll(db, true)
		if err := fn(tx); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	var c *Collection
	write(func(tx *Tx) error {
		c = tx.NewCollection(OrderHash)
		if _, err := tx.PutElement(c, []byte("member"), nil); err != nil {
			return err
		}
		return tx.PutCollection(0, from, Meta{}, c, nil)
	})
	run := lockRun{db: db}
	look := func(want *Collection, at []byte) {
		t.Helper()
		for i := range 2 * lockRunRecords {
			got := run.collection(c.id)
			if got != want || want != nil && (run.shard != db.shardOf(at) || run.count != i%lockRunRecords+1) {
				t.Fatalf("record %d: found %p in shard %p for %d records, want %p in %p", i, got, run.shard, run.count, want, db.shardOf(at))
			}
		}
		run.leave()
	}
	look(c, from)
	write(func(tx *Tx) error {
		_, err := tx.Rename(0, from, 0, to)
		return err
	})
	look(c, to)
	write(func(tx *Tx) error {
		if !tx.Delete(0, to) {
			return errors.New("there was nothing to delete")
		}
		return nil
	})
	look(nil, nil)
}
