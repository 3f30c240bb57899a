package types

import (
	"fmt"
	"testing"

	"bitkv/engine"
)

// benchKeys fills a store and returns its keys.
func benchKeys(b *testing.B, s *testStore, n int) [][]byte {
	b.Helper()
	keys := make([][]byte, n)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
		s.set(0, string(keys[i]), "a value of thirty-two bytes here")
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	s := openTest(b, Options{Engine: engine.Options{Sync: engine.SyncNever}})
	keys := benchKeys(b, s, 10_000)
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := keys[i%len(keys)]
		var set ShardSet
		s.AddKey(&set, key)
		tx := s.Begin(&set, false, 0)
		v, ok, err := tx.String().Get(key)
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		if buf, err = v.AppendTo(buf[:0]); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	s := openTest(b, Options{Engine: engine.Options{Sync: engine.SyncNever}})
	keys := benchKeys(b, s, 10_000)
	value := []byte("another value of thirty-two byte")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key := keys[i%len(keys)]
		var set ShardSet
		s.AddKey(&set, key)
		tx := s.Begin(&set, true, 0)
		if _, err := tx.String().Set(key, value, SetOptions{}); err != nil {
			b.Fatal(err)
		}
		seq, err := tx.Commit()
		if err != nil {
			b.Fatal(err)
		}
		if i%16 == 0 { // as a pipeline of 16 acknowledges
			if err := s.Engine().Ack(seq); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkIncr(b *testing.B) {
	s := openTest(b, Options{Engine: engine.Options{Sync: engine.SyncNever}})
	key := []byte("counter")
	b.ReportAllocs()
	for b.Loop() {
		var set ShardSet
		s.AddKey(&set, key)
		tx := s.Begin(&set, true, 0)
		if _, err := tx.String().IncrBy(key, 1); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
