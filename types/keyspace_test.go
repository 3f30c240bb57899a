package types

import (
	"encoding/hex"
	"errors"
	"strconv"
	"testing"
	"time"
)

func TestDelExistsTypeTouch(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "k", "v")
	s.update(0, func(tx *Tx) {
		k := tx.Keyspace()
		if !k.Exists([]byte("k")) || !k.Touch([]byte("k")) || k.Type([]byte("k")) != "string" {
			t.Error("the key is not there, or no string")
		}
		if k.Exists([]byte("x")) || k.Touch([]byte("x")) || k.Type([]byte("x")) != "none" || k.Del([]byte("x")) {
			t.Error("a missing key is there")
		}
		if !k.Del([]byte("k")) || k.Exists([]byte("k")) || k.Size() != 0 {
			t.Error("Del left the key")
		}
	})
}

func TestRename(t *testing.T) {
	s := openTest(t, Options{})
	rename := func(from, to string, nx bool) (done bool, err error) {
		s.update(0, func(tx *Tx) { done, err = tx.Keyspace().Rename([]byte(from), []byte(to), nx) })
		return done, err
	}
	if _, err := rename("missing", "k", false); !errors.Is(err, ErrNoKey) {
		t.Errorf("missing source: %v", err)
	}
	if _, err := rename("missing", "missing", true); !errors.Is(err, ErrNoKey) {
		t.Errorf("missing source, same name: %v", err)
	}
	big := string(pattern(50_000))
	s.setOpt(0, "a", big, SetOptions{ExpireMs: testEpochMs + 1000})
	s.set(0, "b", "old")
	if done, err := rename("a", "b", true); done || err != nil {
		t.Errorf("nx over a key: %v, %v", done, err)
	}
	if done, err := rename("a", "a", true); done || err != nil {
		t.Errorf("nx onto itself: %v, %v", done, err)
	}
	if done, err := rename("a", "a", false); !done || err != nil {
		t.Errorf("onto itself: %v, %v", done, err)
	}
	if done, err := rename("a", "b", false); !done || err != nil {
		t.Errorf("over a key: %v, %v", done, err)
	}
	s.reopen()
	s.want(0, "a", "(nil)")
	s.want(0, "b", big)
	s.view(0, func(tx *Tx) {
		if got := tx.Keyspace().PTTL([]byte("b")); got != 1000 {
			t.Errorf("the expiry did not come along: %d ms left", got)
		}
	})
	s.setOpt(0, "c", "expired", SetOptions{ExpireMs: testEpochMs + 5})
	s.clock.advance(10 * time.Millisecond)
	if done, err := rename("b", "c", true); !done || err != nil {
		t.Errorf("nx over an expired key: %v, %v", done, err)
	}
}

func TestMoveAndCopy(t *testing.T) {
	s := openTest(t, Options{Databases: 4})
	big := string(pattern(70_000))
	s.setOpt(0, "k", big, SetOptions{ExpireMs: testEpochMs + 1000})
	s.set(2, "k", "taken")
	move := func(key string, to int) (done bool, err error) {
		s.update(0, func(tx *Tx) { done, err = tx.Keyspace().Move([]byte(key), to) })
		return done, err
	}
	cp := func(from, to string, db int, replace bool) (done bool, err error) {
		s.update(0, func(tx *Tx) { done, err = tx.Keyspace().Copy([]byte(from), []byte(to), db, replace) })
		return done, err
	}
	for _, db := range []int{-1, 4} {
		if _, err := move("k", db); !errors.Is(err, ErrDBRange) {
			t.Errorf("Move to %d: %v", db, err)
		}
		if _, err := cp("k", "k", db, false); !errors.Is(err, ErrDBRange) {
			t.Errorf("Copy to %d: %v", db, err)
		}
	}
	if _, err := move("k", 0); !errors.Is(err, ErrSameObject) {
		t.Errorf("Move to the same database: %v", err)
	}
	if _, err := cp("k", "k", 0, true); !errors.Is(err, ErrSameObject) {
		t.Errorf("Copy onto itself: %v", err)
	}
	for _, tt := range []struct {
		name       string
		done, want bool
		err        error
	}{
		row("move missing", false)(move("missing", 1)),
		row("move over", false)(move("k", 2)),
		row("copy missing", false)(cp("missing", "x", 0, true)),
		row("copy over", false)(cp("k", "k", 2, false)),
		row("copy replace", true)(cp("k", "k", 2, true)),
		row("copy", true)(cp("k", "k2", 0, false)),
		row("move", true)(move("k", 1)),
	} {
		if tt.done != tt.want || tt.err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.name, tt.done, tt.err, tt.want)
		}
	}
	// A copy has a life of its own.
	s.update(0, func(tx *Tx) {
		if _, err := tx.String().SetRange([]byte("k2"), 0, []byte("other")); err != nil {
			t.Fatal(err)
		}
	})
	s.reopen()
	s.want(0, "k", "(nil)")
	s.want(1, "k", big)
	s.want(2, "k", big)
	s.want(0, "k2", "other"+big[5:])
	for db, key := range []string{"k2", "k", "k"} {
		s.view(db, func(tx *Tx) {
			if got := tx.Keyspace().PTTL([]byte(key)); got != 1000 {
				t.Errorf("db %d: %d ms left, want 1000", db, got)
			}
		})
	}
}

type doneRow struct {
	name       string
	done, want bool
	err        error
}

func row(name string, want bool) func(done bool, err error) doneRow {
	return func(done bool, err error) doneRow { return doneRow{name, done, want, err} }
}

func TestSwapAndFlush(t *testing.T) {
	s := openTest(t, Options{Databases: 4})
	s.set(0, "zero", "0")
	s.set(1, "one", "1")
	swap := func(a, b int) (err error) {
		s.update(0, func(tx *Tx) { err = tx.Keyspace().SwapDB(a, b) })
		return err
	}
	for _, pair := range [][2]int{{-1, 0}, {0, 4}} {
		if err := swap(pair[0], pair[1]); !errors.Is(err, ErrDBRange) {
			t.Errorf("SwapDB%v: %v", pair, err)
		}
	}
	if err := swap(1, 1); err != nil {
		t.Error(err)
	}
	if err := swap(0, 1); err != nil {
		t.Error(err)
	}
	s.reopen()
	s.want(1, "zero", "0")
	s.want(0, "one", "1")
	s.update(1, func(tx *Tx) { tx.Keyspace().FlushDB() })
	s.reopen()
	s.want(1, "zero", "(nil)")
	s.want(0, "one", "1")
	s.set(3, "three", "3")
	s.update(1, func(tx *Tx) { tx.Keyspace().FlushAll() })
	s.reopen()
	for db := range 4 {
		if n := s.Size(db); n != 0 {
			t.Errorf("database %d has %d keys after FlushAll", db, n)
		}
	}
}

func TestExpireStats(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "a", "v")
	if keys, ms := s.ExpireStats(0); keys != 0 || ms != 0 {
		t.Errorf("no expiry: %d keys, %d ms", keys, ms)
	}
	s.setOpt(0, "b", "v", SetOptions{ExpireMs: testEpochMs + 1000})
	s.setOpt(0, "c", "v", SetOptions{ExpireMs: testEpochMs + 3000})
	if keys, ms := s.ExpireStats(0); keys != 2 || ms != 2000 {
		t.Errorf("%d keys, %d ms on average, want 2, 2000", keys, ms)
	}
}

func TestObject(t *testing.T) {
	s := openTest(t, Options{})
	tests := []struct {
		name, encoding string
		refs           int64
		make           func(v String, key []byte) error
	}{
		{"int", "int", 2147483647, setTo("1234")},
		{"large int", "int", 1, setTo("10000")},
		{"negative int", "int", 1, setTo("-1")},
		{"longest int", "int", 1, setTo("-9223372036854775808")},
		{"too large for an int", "embstr", 1, setTo("9223372036854775808")},
		{"leading zero", "embstr", 1, setTo("01")},
		{"empty", "embstr", 1, setTo("")},
		{"44 bytes", "embstr", 1, setTo(string(pattern(44)))},
		{"45 bytes", "raw", 1, setTo(string(pattern(45)))},
		{"big", "raw", 1, setTo(string(pattern(20_000)))},
		{"incremented", "int", 2147483647, func(v String, key []byte) error { _, err := v.IncrBy(key, 5); return err }},
		{"copied int", "int", 1, func(v String, key []byte) error {
			_, err := v.Set([]byte("source"), []byte("5"), SetOptions{})
			if err == nil {
				_, err = v.tx.Keyspace().Copy([]byte("source"), key, 0, false)
			}
			return err
		}},
		{"float", "embstr", 1, func(v String, key []byte) error { _, err := v.IncrByFloat(nil, key, []byte("5")); return err }},
		{"appended to nothing", "int", 2147483647, func(v String, key []byte) error { _, err := v.Append(key, []byte("12")); return err }},
		{"appended", "raw", 1, func(v String, key []byte) error {
			_, err := v.Append(key, []byte("1"))
			if err == nil {
				_, err = v.Append(key, []byte("2"))
			}
			return err
		}},
		{"range set", "raw", 1, func(v String, key []byte) error { _, err := v.SetRange(key, 0, []byte("12")); return err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := []byte("k:" + tt.name)
			s.update(0, func(tx *Tx) {
				if err := tt.make(tx.String(), key); err != nil {
					t.Fatal(err)
				}
			})
			s.reopen()
			s.view(0, func(tx *Tx) {
				name, ok, err := tx.Keyspace().Encoding(key)
				if name != tt.encoding || !ok || err != nil {
					t.Errorf("encoding %q, %v, %v, want %q", name, ok, err, tt.encoding)
				}
				refs, ok, err := tx.Keyspace().RefCount(key)
				if refs != tt.refs || !ok || err != nil {
					t.Errorf("%d references, %v, %v, want %d", refs, ok, err, tt.refs)
				}
			})
		})
	}
	s.view(0, func(tx *Tx) {
		if _, ok, err := tx.Keyspace().Encoding([]byte("missing")); ok || err != nil {
			t.Errorf("missing key: %v, %v", ok, err)
		}
		if _, ok := tx.Keyspace().MemoryUsage([]byte("missing"), 5); ok {
			t.Error("a missing key uses memory")
		}
		small, _ := tx.Keyspace().MemoryUsage([]byte("k:int"), 5)
		large, _ := tx.Keyspace().MemoryUsage([]byte("k:big"), 5)
		if small < 20 || small > 500 || large < 20_000 || large > 50_000 {
			t.Errorf("memory of a small key %d, of one of 20000 bytes %d", small, large)
		}
	})
}

func setTo(value string) func(v String, key []byte) error {
	return func(v String, key []byte) error {
		_, err := v.Set(key, []byte(value), SetOptions{})
		return err
	}
}

func TestIdleTime(t *testing.T) {
	s := openTest(t, Options{})
	idle := func(key string, want int64) {
		t.Helper()
		s.view(0, func(tx *Tx) {
			if got, ok := tx.Keyspace().IdleSeconds([]byte(key)); !ok || got != want {
				t.Errorf("%s idle for %d s, %v, want %d", key, got, ok, want)
			}
		})
	}
	s.set(0, "a", "v")
	s.set(0, "b", "v")
	s.clock.advance(10 * time.Second)
	idle("a", 10)
	s.get(0, "a")
	idle("a", 0)
	s.clock.advance(5 * time.Second)
	s.view(0, func(tx *Tx) { // NO-TOUCH
		tx.SetNoTouch(true)
		getIn(t, tx, "a")
		tx.Keyspace().Exists([]byte("a"))
		tx.Keyspace().TTL([]byte("a"))
	})
	idle("a", 5)
	s.view(0, func(tx *Tx) {
		tx.SetNoTouch(true)
		tx.Keyspace().Touch([]byte("a"))
	})
	idle("a", 0)
	idle("b", 15)
	s.update(0, func(tx *Tx) {
		if _, err := tx.Keyspace().Copy([]byte("b"), []byte("copy"), 0, false); err != nil {
			t.Fatal(err)
		}
	})
	idle("copy", 0)
	idle("b", 0) // copying reads it
	s.clock.advance(20 * time.Second)
	s.reopen()
	s.clock.advance(3 * time.Second)
	idle("a", 3)
}

func TestFreq(t *testing.T) {
	s := openTest(t, Options{})
	s.SetAccessClock(AccessClock{LFU: true, LogFactor: 0, DecayMinutes: 1})
	freq := func(key string, want int64) {
		t.Helper()
		s.view(0, func(tx *Tx) {
			if got, ok := tx.Keyspace().Freq([]byte(key)); !ok || got != want {
				t.Errorf("%s has frequency %d, %v, want %d", key, got, ok, want)
			}
		})
	}
	s.set(0, "k", "v")
	freq("k", lfuInitial)
	for range 10 { // with factor 0 every access counts
		s.get(0, "k")
	}
	freq("k", lfuInitial+10)
	s.set(0, "k", "overwritten")
	freq("k", lfuInitial+11)
	s.clock.advance(4 * time.Minute)
	freq("k", lfuInitial+7)
	s.clock.advance(time.Hour)
	freq("k", 0)
}

// TestDigest compares with what redis-server 7.0.15 answers to DEBUG DIGEST and
// DEBUG DIGEST-VALUE for the same data.
func TestDigest(t *testing.T) {
	s := openTest(t, Options{})
	digestOf := func(db int, key string) (got string) {
		s.view(db, func(tx *Tx) {
			sum, err := tx.Keyspace().DigestValue([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			got = hex.EncodeToString(sum[:])
		})
		return got
	}
	all := func() (got string) {
		s.view(0, func(tx *Tx) {
			sum, err := tx.Keyspace().Digest()
			if err != nil {
				t.Fatal(err)
			}
			got = hex.EncodeToString(sum[:])
		})
		return got
	}
	if got := all(); got != "0000000000000000000000000000000000000000" {
		t.Errorf("digest of nothing: %s", got)
	}
	s.setOpt(0, "e", "x", SetOptions{ExpireMs: testEpochMs + 10_000})
	s.set(3, "foo", "")
	s.set(0, "n", strconv.Itoa(12345))
	s.set(0, "foo", "bar")
	if got, want := all(), "297a7f1aa985d50c7cbf803b921f1a9041532848"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	for _, tt := range []struct {
		db        int
		key, want string
	}{
		{0, "foo", "68467c70ae30376e7ce005bcc8827f5ba7fd67dc"},
		{0, "n", "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83"},
		{0, "e", "0745672cb1bf060476eedeb8a28f5ffe1ff5a2be"},
		{0, "nokey", "0000000000000000000000000000000000000000"},
		{3, "foo", "8b3447c33a834b810e3e181b6fd6a2ee1020921c"},
	} {
		if got := digestOf(tt.db, tt.key); got != tt.want {
			t.Errorf("digest of %s in %d: %s, want %s", tt.key, tt.db, got, tt.want)
		}
	}
}
