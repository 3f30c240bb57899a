package types

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scanAll walks with a cursor and returns the keys in the order met.
func (s *testStore) scanAll(o ScanOptions, between func()) []string {
	s.tb.Helper()
	var keys []string
	cursor := uint64(0)
	for {
		var none ShardSet
		tx := s.Begin(&none, false, 0)
		cursor = tx.Keyspace().Scan(cursor, o, func(key []byte) { keys = append(keys, string(key)) })
		if _, err := tx.Commit(); err != nil {
			s.tb.Fatalf("Commit: %v", err)
		}
		if cursor == 0 {
			return keys
		}
		if between != nil {
			between()
		}
	}
}

func (s *testStore) keys(db int, pattern string) []string {
	s.tb.Helper()
	var keys []string
	var none ShardSet
	tx := s.Begin(&none, false, db)
	tx.Keyspace().Keys([]byte(pattern), func(key []byte) bool {
		keys = append(keys, string(key))
		return true
	})
	if _, err := tx.Commit(); err != nil {
		s.tb.Fatalf("Commit: %v", err)
	}
	slices.Sort(keys)
	return keys
}

func wantKeys(t *testing.T, got []string, want ...string) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got keys %q, want %q", got, want)
	}
}

// TestScanGuarantee: keys that exist all the time are met exactly once, others at
// most once for each time that they were made, whatever happens in between.
func TestScanGuarantee(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, Options{})
		stable := rapid.IntRange(0, 300).Draw(rt, "stable")
		count := rapid.IntRange(1, 40).Draw(rt, "count")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for i := range stable {
			s.set(0, fmt.Sprintf("stable%d", i), "v")
		}
		churn := func() {
			s.update(0, func(tx *Tx) {
				for range rnd.IntN(20) {
					key := fmt.Appendf(nil, "churn%d", rnd.IntN(100))
					if rnd.IntN(2) == 0 {
						tx.Keyspace().Del(key)
					} else if _, err := tx.String().Set(key, key, SetOptions{}); err != nil {
						rt.Fatal(err)
					}
					if stable > 0 { // a write of a stable key moves nothing
						key = fmt.Appendf(nil, "stable%d", rnd.IntN(stable))
						if _, err := tx.String().Append(key, key); err != nil {
							rt.Fatal(err)
						}
					}
				}
			})
		}
		churn()
		seen := map[string]int{}
		for _, key := range s.scanAll(ScanOptions{Count: count}, churn) {
			seen[key]++
		}
		for i := range stable {
			if key := fmt.Sprintf("stable%d", i); seen[key] != 1 {
				rt.Fatalf("%s was met %d times", key, seen[key])
			}
		}
	})
}

func TestScanAnyCursor(t *testing.T) {
	s := openTest(t, Options{})
	for i := range 100 {
		s.set(0, fmt.Sprint(i), "v")
	}
	rapid.Check(t, func(rt *rapid.T) {
		cursor := rapid.Uint64().Draw(rt, "cursor")
		s.view(0, func(tx *Tx) {
			for range 200 {
				if cursor = tx.Keyspace().Scan(cursor, ScanOptions{Count: 3}, func([]byte) {}); cursor == 0 {
					return
				}
			}
			rt.Fatal("a walk of 100 keys did not end")
		})
	})
}

func TestScanFilters(t *testing.T) {
	s := openTest(t, Options{})
	for _, key := range []string{"a1", "a2", "b1", ""} {
		s.set(0, key, "v")
	}
	s.setOpt(0, "a3", "v", SetOptions{ExpireMs: testEpochMs + 1})
	s.set(1, "a4", "other database")
	s.clock.advance(time.Second)
	wantKeys(t, s.scanAll(ScanOptions{}, nil), "a1", "a2", "b1", "")
	wantKeys(t, s.scanAll(ScanOptions{Match: []byte("a*")}, nil), "a1", "a2")
	wantKeys(t, s.scanAll(ScanOptions{Match: []byte("*")}, nil), "a1", "a2", "b1", "")
	wantKeys(t, s.scanAll(ScanOptions{Match: []byte("**")}, nil), "a1", "a2", "b1")
	wantKeys(t, s.scanAll(ScanOptions{Type: "STRING"}, nil), "a1", "a2", "b1", "")
	wantKeys(t, s.scanAll(ScanOptions{Type: "hash"}, nil))
	wantKeys(t, s.scanAll(ScanOptions{Type: "nonsense"}, nil))
	if s.Size(0) != 4 {
		t.Error("the walk did not remove the expired key")
	}
}

func TestKeys(t *testing.T) {
	s := openTest(t, Options{})
	all := []string{"user:1:a", "user:1:b", "user:10:a", "user:2:a", "{t}x", "{t}y", "a*b", "axb", ""}
	for _, key := range all {
		s.set(0, key, "v")
	}
	s.setOpt(0, "user:1:old", "v", SetOptions{ExpireMs: testEpochMs + 1})
	s.clock.advance(time.Second)
	wantKeys(t, s.keys(0, "user:1:*"), "user:1:a", "user:1:b")
	wantKeys(t, s.keys(0, "user:*:a"), "user:1:a", "user:10:a", "user:2:a")
	wantKeys(t, s.keys(0, "user:?:?"), "user:1:a", "user:1:b", "user:2:a")
	wantKeys(t, s.keys(0, "{t}*"), "{t}x", "{t}y")
	wantKeys(t, s.keys(0, "{t}y"), "{t}y")
	wantKeys(t, s.keys(0, "user:1"))
	wantKeys(t, s.keys(0, "a\\*b"), "a*b")
	wantKeys(t, s.keys(0, "a[x*]b"), "a*b", "axb")
	wantKeys(t, s.keys(0, "*"), all...)
	wantKeys(t, s.keys(0, ""), "")
	wantKeys(t, s.keys(1, "*"))
	n := 0
	s.view(0, func(tx *Tx) {
		tx.Keyspace().Keys([]byte("*"), func([]byte) bool { n++; return n < 3 })
	})
	if n != 3 {
		t.Errorf("%d keys visited after fn said stop at 3", n)
	}
}

func TestKeysIsMatchOverAllKeys(t *testing.T) {
	s := openTest(t, Options{})
	gen := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?[]^-\\{}")), 0, 6, -1)
	rapid.Check(t, func(rt *rapid.T) {
		s.update(0, func(tx *Tx) { tx.Keyspace().FlushDB() })
		keys := rapid.SliceOfNDistinct(gen, 1, 10, rapid.ID).Draw(rt, "keys")
		pattern := gen.Draw(rt, "pattern")
		var want []string
		for _, key := range keys {
			s.set(0, key, "v")
			if pattern == "*" || Match([]byte(pattern), []byte(key)) {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		if got := s.keys(0, pattern); !slices.Equal(got, want) {
			rt.Fatalf("Keys(%q) = %q, want %q", pattern, got, want)
		}
	})
}

func TestRandom(t *testing.T) {
	s := openTest(t, Options{})
	random := func() (key string, ok bool) {
		var none ShardSet
		tx := s.Begin(&none, false, 0)
		b, ok := tx.Keyspace().Random(nil)
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		return string(b), ok
	}
	if key, ok := random(); ok {
		t.Errorf("an empty database has a random key %q", key)
	}
	// Nine keys of one shard and one of another have the same chance each.
	want := map[string]int{"other": 0}
	s.set(0, "other", "v")
	for i := range 9 {
		key := fmt.Sprintf("{t}%d", i)
		want[key] = 0
		s.set(0, key, "v")
	}
	for range 10_000 {
		key, ok := random()
		if _, known := want[key]; !ok || !known {
			t.Fatalf("got %q, %v", key, ok)
		}
		want[key]++
	}
	for key, n := range want {
		if n < 700 || n > 1300 { // ten standard deviations
			t.Errorf("%s was picked %d times of 10000", key, n)
		}
	}
	s.update(0, func(tx *Tx) { tx.Keyspace().FlushDB() })
	s.setOpt(0, "gone", "v", SetOptions{ExpireMs: testEpochMs + 1})
	s.clock.advance(time.Second)
	if key, ok := random(); ok {
		t.Errorf("an expired key %q was picked", key)
	}
}
