package engine

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// testOptions are small files, so that tests rotate.
func testOptions() Options {
	return Options{DataFileBytes: 16 << 10, Shards: 4, Spaces: 4, MergeDeadBytes: -1}
}

func mustOpen(tb testing.TB, dir string, opt Options) *DB {
	tb.Helper()
	db, err := Open(dir, opt)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return db
}

func mustClose(tb testing.TB, db *DB) {
	tb.Helper()
	if err := db.Close(); err != nil {
		tb.Fatalf("Close: %v", err)
	}
}

// waitFor polls until done, for work that goes on in the background.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPutGetReopen(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, testOptions())
	want := map[string][]byte{}
	for i := range 2000 {
		key := fmt.Sprintf("key-%d", i%700)
		value := bytes.Repeat([]byte{byte(i)}, i%60)
		if err := db.Put([]byte(key), value); err != nil {
			t.Fatalf("Put: %v", err)
		}
		want[key] = value
		if i%3 == 0 {
			del := fmt.Sprintf("key-%d", (i*7)%700)
			if err := db.Delete([]byte(del)); err != nil {
				t.Fatalf("Delete: %v", err)
			}
			delete(want, del)
		}
	}
	for range 3 {
		if got := db.Len(0); got != len(want) {
			t.Fatalf("Len: got %d, want %d", got, len(want))
		}
		for i := range 700 {
			key := fmt.Sprintf("key-%d", i)
			got, err := db.Get([]byte(key))
			value, ok := want[key]
			if !ok {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("Get %s: got %v, want ErrNotFound", key, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, value) {
				t.Fatalf("Get %s: got %q, %v, want %q", key, got, err, value)
			}
		}
		mustClose(t, db)
		db = mustOpen(t, dir, testOptions())
	}
	mustClose(t, db)
}
