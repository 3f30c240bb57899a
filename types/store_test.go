package types

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitkv/engine"
)

// fakeClock is a clock that tests set.
type fakeClock struct{ ms atomic.Int64 }

func (c *fakeClock) now() int64              { return c.ms.Load() }
func (c *fakeClock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// testStore is a Store on a fake clock whose active expiry runs only when asked.
type testStore struct {
	*Store
	tb    testing.TB
	dir   string
	opt   Options
	clock *fakeClock
}

const testEpochMs = 1_700_000_000_000

func openTest(tb testing.TB, opt Options) *testStore {
	tb.Helper()
	s := &testStore{tb: tb, dir: tb.TempDir(), clock: new(fakeClock), opt: opt}
	s.clock.ms.Store(testEpochMs)
	s.opt.NowMs = s.clock.now
	s.opt.Engine.NoPreallocate = true
	s.opt.Engine.MergeDeadBytes = -1
	if s.opt.Hz == 0 {
		s.opt.Hz = 1 // between Open and SetActiveExpire a machine may take a tenth of a second
	}
	s.open()
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

func (s *testStore) open() {
	s.tb.Helper()
	store, err := Open(s.dir, s.opt)
	if err != nil {
		s.tb.Fatalf("Open: %v", err)
	}
	store.SetActiveExpire(false)
	store.evictor.start(rand.NewPCG(1, 2)) // what is evicted is always the same
	s.Store = store
}

// reopen closes the store and opens it again.
func (s *testStore) reopen() {
	s.tb.Helper()
	if err := s.Close(); err != nil {
		s.tb.Fatalf("Close: %v", err)
	}
	s.open()
}

// update runs fn in a transaction over everything and commits it.
func (s *testStore) update(db int, fn func(tx *Tx)) {
	s.tb.Helper()
	s.run(true, db, fn)
}

// view runs fn in a transaction that reads.
func (s *testStore) view(db int, fn func(tx *Tx)) {
	s.tb.Helper()
	s.run(false, db, fn)
}

func (s *testStore) run(write bool, db int, fn func(tx *Tx)) {
	s.tb.Helper()
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, write, db)
	ended := false
	defer func() {
		if !ended { // fn failed the test: the locks must not stay
			tx.Rollback()
		}
	}()
	fn(tx)
	ended = true
	seq, err := tx.Commit()
	if err != nil {
		s.tb.Fatalf("Commit: %v", err)
	}
	if err := s.Engine().Ack(seq); err != nil {
		s.tb.Fatalf("Ack: %v", err)
	}
}

func (s *testStore) set(db int, key, value string) {
	s.tb.Helper()
	s.setOpt(db, key, value, SetOptions{})
}

func (s *testStore) setOpt(db int, key, value string, o SetOptions) (done bool) {
	s.tb.Helper()
	s.update(db, func(tx *Tx) {
		var err error
		if done, err = tx.String().Set([]byte(key), []byte(value), o); err != nil {
			s.tb.Fatalf("Set %q: %v", key, err)
		}
	})
	return done
}

// get returns the value of a key, "(nil)" if there is none.
func (s *testStore) get(db int, key string) (value string) {
	s.tb.Helper()
	s.view(db, func(tx *Tx) { value = getIn(s.tb, tx, key) })
	return value
}

func getIn(tb testing.TB, tx *Tx, key string) string {
	tb.Helper()
	v, ok, err := tx.String().Get([]byte(key))
	if err != nil {
		tb.Fatalf("Get %q: %v", key, err)
	}
	if !ok {
		return "(nil)"
	}
	b, err := v.AppendTo(nil)
	if err != nil {
		tb.Fatalf("AppendTo %q: %v", key, err)
	}
	if len(b) != v.Len() {
		tb.Fatalf("%q: Len is %d, but %d bytes were read", key, v.Len(), len(b))
	}
	return string(b)
}

func (s *testStore) want(db int, key, want string) {
	s.tb.Helper()
	if got := s.get(db, key); got != want {
		s.tb.Errorf("db %d, key %q: got %.60q, want %.60q", db, key, got, want)
	}
}

func TestOpenRefusesNegativeOptions(t *testing.T) {
	for _, opt := range []Options{{Databases: -1}, {MaxValueBytes: -1}, {Hz: -1}} {
		if s, err := Open(t.TempDir(), opt); err == nil {
			t.Errorf("Open(%+v) succeeded", opt)
			_ = s.Close()
		}
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "a", "1")
	s.set(5, "b", "two")
	s.setOpt(0, "t", "x", SetOptions{ExpireMs: testEpochMs + 5000})
	big := string(pattern(40_000))
	s.set(0, "big", big)
	s.reopen()
	s.want(0, "a", "1")
	s.want(5, "b", "two")
	s.want(0, "big", big)
	s.want(0, "t", "x")
	s.clock.advance(5001 * time.Millisecond)
	s.want(0, "t", "(nil)")
	s.reopen()
	s.want(0, "t", "(nil)")
	if n := s.Size(0); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
}

// pattern returns n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return b
}

func TestStats(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "a", "1")
	s.setOpt(0, "t", "1", SetOptions{ExpireMs: testEpochMs + 100})
	s.get(0, "a")
	s.get(0, "missing")
	s.clock.advance(time.Second)
	s.get(0, "t")
	got := s.Stats()
	if got.Hits != 1 || got.Misses != 2 || got.Expired != 1 || got.Dirty != 2 {
		t.Errorf("got %+v, want 1 hit, 2 misses, 1 expired, 2 changes", got)
	}
	s.ResetStats()
	if got := s.Stats(); got != (Stats{Dirty: 2}) {
		t.Errorf("after ResetStats: %+v, want 2 changes only", got)
	}
	s.set(0, "a", "2")
	s.MarkSaved(got.Dirty)
	if n := s.Stats().Dirty; n != 1 {
		t.Errorf("%d changes after MarkSaved, want 1", n)
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "a", "1")
	dirty := s.Stats().Dirty
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, true, 0)
	if _, err := tx.String().Set([]byte("a"), []byte("2"), SetOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.String().SetRange([]byte("b"), 100_000, []byte("x")); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	s.want(0, "a", "1")
	s.want(0, "b", "(nil)")
	if n := s.Stats().Dirty; n != dirty {
		t.Errorf("%d changes counted, want %d", n, dirty)
	}
}

// TestHalfDoneCommandFailsWhole: after an error in the middle of a method's
// writes, Commit undoes all of the transaction and says why.
func TestHalfDoneCommandFailsWhole(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "a", "1")
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, true, 0)
	if _, err := tx.String().IncrBy([]byte("a"), 1); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("disk on fire")
	_ = tx.fail(cause)
	if _, err := tx.Commit(); !errors.Is(err, cause) {
		t.Fatalf("Commit: %v, want %v", err, cause)
	}
	s.want(0, "a", "1")
}

func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var got []Event
	s := openTest(t, Options{OnEvent: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
	}})
	s.set(0, "silent", "1")
	s.SetEvents(EventGeneric | EventString | EventExpired)
	s.setOpt(3, "a", "1", SetOptions{ExpireMs: testEpochMs + 10})
	s.update(3, func(tx *Tx) {
		if _, err := tx.Keyspace().Rename([]byte("a"), []byte("b"), false); err != nil {
			t.Fatal(err)
		}
	})
	s.clock.advance(time.Second)
	s.want(3, "b", "(nil)")
	s.SetEvents(0)
	s.set(0, "silent", "2")
	want := []Event{
		{3, EventString, "set", "a"},
		{3, EventGeneric, "expire", "a"},
		{3, EventGeneric, "rename_from", "a"},
		{3, EventGeneric, "rename_to", "b"},
		{3, EventExpired, "expired", "b"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestConcurrentCommands runs readers, writers, walkers and expiry together, for
// the race detector; the counter must have every increment.
func TestConcurrentCommands(t *testing.T) {
	s := openTest(t, Options{Engine: engine.Options{DataFileBytes: 64 << 10}})
	s.SetActiveExpire(true)
	s.SetHz(500)
	const writers, rounds = 4, 200
	var wg sync.WaitGroup
	one := func(write bool, key string, fn func(tx *Tx)) {
		var set ShardSet
		s.AddKey(&set, []byte(key))
		tx := s.Begin(&set, write, 0)
		fn(tx)
		if _, err := tx.Commit(); err != nil {
			t.Errorf("Commit: %v", err)
		}
	}
	for range writers {
		wg.Go(func() {
			for i := range rounds {
				one(true, "n", func(tx *Tx) {
					if _, err := tx.String().IncrBy([]byte("n"), 1); err != nil {
						t.Errorf("IncrBy: %v", err)
					}
				})
				key := "t" + string(rune('a'+i%26))
				one(true, key, func(tx *Tx) {
					o := SetOptions{ExpireMs: tx.NowMs() + 5}
					if _, err := tx.String().Set([]byte(key), []byte("x"), o); err != nil {
						t.Errorf("Set: %v", err)
					}
				})
				one(false, key, func(tx *Tx) { tx.Keyspace().TTL([]byte(key)) })
				s.clock.advance(time.Millisecond)
				var none ShardSet
				tx := s.Begin(&none, false, 0)
				tx.Keyspace().Scan(0, ScanOptions{Count: 1000}, func([]byte) {})
				tx.Keyspace().Random(nil)
				if _, err := tx.Commit(); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.want(0, "n", "800")
}

// TestMergeKeepsTheData merges while strings of all forms, overwritten, expired
// and deleted ones lie in many files.
func TestMergeKeepsTheData(t *testing.T) {
	s := openTest(t, Options{Engine: engine.Options{DataFileBytes: 32 << 10}})
	digest := func() (sum [20]byte) {
		s.view(0, func(tx *Tx) {
			var err error
			if sum, err = tx.Keyspace().Digest(); err != nil {
				t.Fatal(err)
			}
		})
		return sum
	}
	for i := range 200 {
		key := "k" + strconv.Itoa(i%20)
		switch i % 5 {
		case 0:
			s.set(0, key, string(pattern(i*100)))
		case 1:
			s.setOpt(0, key, key, SetOptions{ExpireMs: testEpochMs + int64(i)})
		case 2:
			s.update(0, func(tx *Tx) {
				if _, err := tx.String().SetRange([]byte(key), int64(i*200), pattern(i)); err != nil {
					t.Fatal(err)
				}
			})
		case 3:
			s.update(0, func(tx *Tx) { tx.Keyspace().Del([]byte("k" + strconv.Itoa(i/2%20))) })
		case 4:
			s.update(i%3, func(tx *Tx) {
				if err := tx.Keyspace().SwapDB(0, i%3); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	s.clock.advance(100 * time.Millisecond)
	want := digest()
	for range 2 {
		if err := s.Merge(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if digest() != want {
			t.Fatal("the data changed in a merge")
		}
		s.reopen()
		if digest() != want {
			t.Fatal("the data changed between merge and reopening")
		}
	}
}
