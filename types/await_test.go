package types

import (
	"math"
	"slices"
	"testing"
)

func TestParseTimeout(t *testing.T) {
	for _, tt := range []struct {
		arg string
		ms  int64
		ok  bool
	}{
		{"0", 0, true},
		{"1", 1000, true},
		{"1.5", 1500, true},
		{"0.0001", 1, true},
		{"0.001", 1, true},
		{"-0.0001", 0, true},
		{"-0.001", 0, true}, // as in Redis: it is a little more than -1 ms
		{"-0.0011", -1, true},
		{"-1", -1000, true},
		{"0x10p-4", 1000, true},
		{"9223372036854775", 9223372036854775000, true},
		{"9223372036854776", math.MinInt64, true},
		{"-9223372036854776", math.MinInt64, true},
		{"inf", math.MinInt64, true},
		{"-inf", math.MinInt64, true},
		{"1e400", math.MinInt64, true},
		{"1e5000", 0, false},
		{"nan", 0, false},
		{"", 0, false},
		{"1s", 0, false},
		{" 1", 0, false},
	} {
		if ms, ok := ParseTimeout([]byte(tt.arg)); ms != tt.ms || ok != tt.ok {
			t.Errorf("%q: %d, %v; want %d, %v", tt.arg, ms, ok, tt.ms, tt.ok)
		}
	}
}

// TestReady: which keys a transaction makes ready, however it does it.
func TestReady(t *testing.T) {
	s := openTest(t, Options{})
	var a *Await
	s.update(0, func(tx *Tx) {
		keys := [][]byte{[]byte("a"), []byte("b"), []byte("a")}
		a = tx.Await("list", keys, "first")
		tx.Await("zset", keys[1:2], "second")
	})
	if n := s.Waiting(); n != 3 {
		t.Errorf("%d keys are waited for, want 3", n)
	}
	push := func(tx *Tx, db int, key string) {
		tx.SetDB(db)
		if _, err := tx.List().Push([]byte(key), Left, [][]byte{[]byte("x")}, false); err != nil {
			t.Fatal(err)
		}
		tx.SetDB(0)
	}
	must := func(done bool, err error) {
		t.Helper()
		if !done || err != nil {
			t.Fatal(done, err)
		}
	}
	for _, tt := range []struct {
		name string
		do   func(tx *Tx)
		want []ReadyKey
	}{
		{"push", func(tx *Tx) { push(tx, 0, "a") }, []ReadyKey{{0, "a"}}},
		{"in order, once", func(tx *Tx) { push(tx, 0, "b"); push(tx, 0, "a"); push(tx, 0, "b") }, []ReadyKey{{0, "b"}, {0, "a"}}},
		{"other keys", func(tx *Tx) { push(tx, 0, "c"); push(tx, 1, "a") }, nil},
		{"gone again", func(tx *Tx) { push(tx, 0, "a"); tx.Keyspace().Del([]byte("a")) }, nil},
		{"another type", func(tx *Tx) {
			_, err := tx.String().Set([]byte("a"), []byte("v"), SetOptions{})
			must(true, err)
		}, nil},
		{"overwritten", func(tx *Tx) {
			push(tx, 0, "a")
			_, err := tx.String().Set([]byte("a"), []byte("v"), SetOptions{})
			must(true, err)
		}, nil},
		{"rename", func(tx *Tx) { push(tx, 0, "c"); must(tx.Keyspace().Rename([]byte("c"), []byte("b"), false)) }, []ReadyKey{{0, "b"}}},
		{"copy", func(tx *Tx) { push(tx, 0, "c"); must(tx.Keyspace().Copy([]byte("c"), []byte("b"), 0, false)) }, []ReadyKey{{0, "b"}}},
		{"move", func(tx *Tx) {
			push(tx, 3, "a")
			tx.SetDB(3)
			must(tx.Keyspace().Move([]byte("a"), 0))
		}, []ReadyKey{{0, "a"}}},
		{"swapdb", func(tx *Tx) {
			push(tx, 3, "a")
			must(true, tx.Keyspace().SwapDB(3, 0))
		}, []ReadyKey{{0, "a"}}},
		{"expired", func(tx *Tx) {
			push(tx, 0, "a")
			tx.Keyspace().Expire([]byte("a"), tx.NowMs()+1, 0)
			tx.nowMs += 2
		}, nil},
	} {
		var set ShardSet
		s.AddAll(&set)
		tx := s.Begin(&set, true, 0)
		tt.do(tx)
		if got := tx.AppendReady(nil); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		tx.Rollback()
	}
	k := ReadyKey{0, "b"}
	first := s.NextAwait(k, 0)
	second := s.NextAwait(k, first.Seq())
	if first.Owner != "first" || second.Owner != "second" || s.NextAwait(k, second.Seq()) != nil {
		t.Error("the queue is out of order")
	}
	a.End()
	a.End()
	if n := s.NextAwait(k, 0); n != second || s.NextAwait(ReadyKey{0, "a"}, 0) != nil || s.Waiting() != 1 {
		t.Errorf("after End: %v, %d keys are waited for", n, s.Waiting())
	}
}

// BenchmarkSetWhileWaiting is a write beside a client that waits for another key.
func BenchmarkSetWhileWaiting(b *testing.B) {
	s := openTest(b, Options{})
	s.update(0, func(tx *Tx) { tx.Await("list", [][]byte{[]byte("q")}, nil) })
	key, value := []byte("key"), []byte("value")
	var set ShardSet
	s.AddKey(&set, key)
	b.ReportAllocs()
	for b.Loop() {
		tx := s.Begin(&set, true, 0)
		if _, err := tx.String().Set(key, value, SetOptions{}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
