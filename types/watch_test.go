package types

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func (s *testStore) watch(keys ...string) *Watcher {
	s.tb.Helper()
	w := s.NewWatcher()
	s.view(0, func(tx *Tx) {
		for _, key := range keys {
			w.Watch(tx, []byte(key))
		}
	})
	s.tb.Cleanup(w.Unwatch)
	return w
}

// isDirty asks as EXEC does.
func (s *testStore) isDirty(w *Watcher) (dirty bool) {
	s.tb.Helper()
	var set ShardSet
	w.AddKeys(&set)
	tx := s.Begin(&set, true, 0)
	dirty = w.DirtyAt(tx)
	tx.Rollback()
	return dirty
}

func TestWatch(t *testing.T) {
	past := testEpochMs - int64(1)
	tests := []struct {
		name  string
		do    func(tx *Tx)
		dirty bool
	}{
		{"nothing", func(*Tx) {}, false},
		{"set", func(tx *Tx) { _, _ = tx.String().Set([]byte("k"), []byte("v"), SetOptions{}) }, true},
		{"set to the same", func(tx *Tx) { _, _ = tx.String().Set([]byte("k"), []byte("1"), SetOptions{}) }, true},
		{"refused set", func(tx *Tx) { _, _ = tx.String().Set([]byte("k"), nil, SetOptions{NX: true}) }, false},
		{"get", func(tx *Tx) { _, _, _ = tx.String().Get([]byte("k")) }, false},
		{"increment", func(tx *Tx) { _, _ = tx.String().IncrBy([]byte("k"), 1) }, true},
		{"float increment", func(tx *Tx) { _, _ = tx.String().IncrByFloat(nil, []byte("k"), []byte("1")) }, true},
		{"append", func(tx *Tx) { _, _ = tx.String().Append([]byte("k"), []byte("1")) }, true},
		{"set range", func(tx *Tx) { _, _ = tx.String().SetRange([]byte("k"), 0, []byte("1")) }, true},
		{"set range of nothing", func(tx *Tx) { _, _ = tx.String().SetRange([]byte("k"), 0, nil) }, false},
		{"delete", func(tx *Tx) { tx.Keyspace().Del([]byte("k")) }, true},
		{"delete of another", func(tx *Tx) { tx.Keyspace().Del([]byte("other")) }, false},
		{"expire", func(tx *Tx) { tx.Keyspace().Expire([]byte("k"), testEpochMs+1000, 0) }, true},
		{"expire in the past", func(tx *Tx) { tx.Keyspace().Expire([]byte("k"), past, 0) }, true},
		{"refused expire", func(tx *Tx) { tx.Keyspace().Expire([]byte("k"), testEpochMs+1000, ExpireXX) }, false},
		{"touch", func(tx *Tx) { tx.Keyspace().Touch([]byte("k")) }, false},
		{"persist of none", func(tx *Tx) { tx.Keyspace().Persist([]byte("k")) }, false},
		{"rename from", func(tx *Tx) { _, _ = tx.Keyspace().Rename([]byte("k"), []byte("x"), false) }, true},
		{"rename to", func(tx *Tx) { _, _ = tx.Keyspace().Rename([]byte("other"), []byte("k"), false) }, true},
		{"copy from", func(tx *Tx) { _, _ = tx.Keyspace().Copy([]byte("k"), []byte("x"), 0, false) }, false},
		{"copy to", func(tx *Tx) { _, _ = tx.Keyspace().Copy([]byte("other"), []byte("k"), 0, true) }, true},
		{"move", func(tx *Tx) { _, _ = tx.Keyspace().Move([]byte("k"), 1) }, true},
		{"same key of another database", func(tx *Tx) {
			tx.SetDB(1)
			_, _ = tx.String().Set([]byte("k"), nil, SetOptions{})
		}, false},
		{"flush", func(tx *Tx) { tx.Keyspace().FlushDB() }, true},
		{"flush of another", func(tx *Tx) { tx.SetDB(1); tx.Keyspace().FlushDB() }, false},
		{"flush all", func(tx *Tx) { tx.SetDB(1); tx.Keyspace().FlushAll() }, true},
		{"swap away", func(tx *Tx) { _ = tx.Keyspace().SwapDB(0, 1) }, true},
		{"swap of others", func(tx *Tx) { _ = tx.Keyspace().SwapDB(1, 2) }, false},
		{"swap with itself", func(tx *Tx) { _ = tx.Keyspace().SwapDB(0, 0) }, false},
	}
	s := openTest(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
			s.set(0, "k", "1")
			s.set(0, "other", "1")
			w := s.watch("k", "k")
			s.update(0, tt.do)
			if got := s.isDirty(w); got != tt.dirty || w.Dirty() != tt.dirty {
				t.Errorf("dirty: %v, want %v", got, tt.dirty)
			}
			w.Unwatch()
			s.set(0, "k", "2")
			if s.isDirty(w) || w.Len() != 0 {
				t.Error("still watching after Unwatch")
			}
		})
	}
	if n := s.watched.entries.Load(); n != 0 {
		t.Errorf("%d entries are left in the table", n)
	}
}

func TestWatchMissingKey(t *testing.T) {
	s := openTest(t, Options{})
	s.set(1, "k", "in another database")
	w, swapped := s.watch("k"), s.watch("k")
	s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
	if s.isDirty(w) {
		t.Error("a flush changed a key that did not exist")
	}
	s.set(1, "k", "again")
	s.update(0, func(tx *Tx) {
		if err := tx.Keyspace().SwapDB(1, 0); err != nil {
			t.Fatal(err)
		}
	})
	if !s.isDirty(swapped) {
		t.Error("the key came with another database, unnoticed")
	}
}

// TestWatchAndExpiry has Redis's rules: a key that expires while it is watched
// changed; one that had expired before did not, though it is removed.
func TestWatchAndExpiry(t *testing.T) {
	s := openTest(t, Options{})
	set := func() { s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 1000}) }
	read := func() { s.want(0, "k", "(nil)") }

	set()
	w := s.watch("k")
	s.clock.advance(2 * time.Second)
	if w.Dirty() || !s.isDirty(w) {
		t.Error("EXEC did not see that the key's time had come")
	}
	read()
	if !w.Dirty() {
		t.Error("the removal of the key went unnoticed")
	}

	for _, how := range []struct {
		name   string
		remove func()
	}{
		{"read", read},
		{"flush", func() { s.update(0, func(tx *Tx) { tx.Keyspace().FlushDB() }) }},
		{"active expiry", func() { s.expiry.round(time.Now().Add(time.Hour)) }},
		{"swap", func() {
			s.update(0, func(tx *Tx) {
				if err := tx.Keyspace().SwapDB(0, 1); err != nil {
					t.Fatal(err)
				}
			})
		}},
	} {
		t.Run(how.name, func(t *testing.T) {
			s.clock.ms.Store(testEpochMs)
			s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
			set()
			s.clock.advance(2 * time.Second)
			w := s.watch("k")
			if s.isDirty(w) {
				t.Error("dirty from the beginning")
			}
			how.remove()
			if s.isDirty(w) {
				t.Error("the removal of an expired key counts as a change")
			}
			s.set(0, "k", "new")
			if !s.isDirty(w) {
				t.Error("a new value does not count as a change")
			}
		})
	}

	s.clock.ms.Store(testEpochMs)
	s.update(0, func(tx *Tx) { tx.Keyspace().FlushAll() })
	s.setOpt(1, "k", "v", SetOptions{ExpireMs: testEpochMs + 1})
	s.clock.advance(time.Second)
	w = s.watch("k")
	s.update(0, func(tx *Tx) {
		if err := tx.Keyspace().SwapDB(0, 1); err != nil {
			t.Fatal(err)
		}
	})
	if s.isDirty(w) {
		t.Error("an expired key in place of none counts as a change")
	}
}

// TestWatchIsOptimisticLocking counts with WATCH, GET, EXEC(SET) from several
// goroutines: no increment may be lost.
func TestWatchIsOptimisticLocking(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "n", "0")
	const clients, each = 4, 100
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			w := s.NewWatcher()
			for done := 0; done < each; {
				if s.incrementWatched(w, []byte("n")) {
					done++
				}
			}
		})
	}
	wg.Wait()
	s.want(0, "n", strconv.Itoa(clients*each))
}

func (s *testStore) incrementWatched(w *Watcher, key []byte) bool {
	defer w.Unwatch()
	var set ShardSet
	s.AddKey(&set, key)
	tx := s.Begin(&set, false, 0)
	w.Watch(tx, key)
	if _, err := tx.Commit(); err != nil {
		s.tb.Errorf("Commit: %v", err)
	}
	tx = s.Begin(&set, false, 0)
	n, err := strconv.Atoi(getIn(s.tb, tx, string(key)))
	if err != nil {
		s.tb.Errorf("not a number: %v", err)
	}
	tx.Rollback()
	set = ShardSet{}
	w.AddKeys(&set)
	tx = s.Begin(&set, true, 0)
	if w.DirtyAt(tx) {
		tx.Rollback()
		return false
	}
	if _, err := tx.String().Set(key, strconv.AppendInt(nil, int64(n+1), 10), SetOptions{}); err != nil {
		s.tb.Errorf("Set: %v", err)
	}
	if _, err := tx.Commit(); err != nil {
		s.tb.Errorf("Commit: %v", err)
	}
	return true
}
