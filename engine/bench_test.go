package engine

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The engine's benchmarks: keys of 16 bytes, values of 128, one goroutine, the
// default sync policy.

const benchKeys = 1_000_000

func benchKey(b []byte, i uint64) []byte {
	binary.BigEndian.PutUint64(b, i*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(b[8:], i)
	return b[:16]
}

func benchDB(b *testing.B, keys int) (*DB, string) {
	b.Helper()
	dir := b.TempDir()
	db := mustOpen(b, dir, Options{MergeDeadBytes: -1})
	var key [16]byte
	value := make([]byte, 128)
	for i := range keys {
		if err := db.Put(benchKey(key[:], uint64(i)), value); err != nil {
			b.Fatal(err)
		}
	}
	return db, dir
}

func BenchmarkPut(b *testing.B) {
	db, _ := benchDB(b, 0)
	var key [16]byte
	value := make([]byte, 128)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		if err := db.Put(benchKey(key[:], i%benchKeys), value); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	mustClose(b, db)
}

// BenchmarkCommit is Put without the write of the tail, as a server does it that
// acknowledges many commands at once.
func BenchmarkCommit(b *testing.B) {
	db, _ := benchDB(b, benchKeys)
	var key [16]byte
	value := make([]byte, 128)
	b.ReportAllocs()
	i := uint64(0)
	var seq uint64
	for b.Loop() {
		i++
		tx := db.BeginKey(benchKey(key[:], i%benchKeys), true)
		if err := tx.Put(0, key[:], Meta{}, value); err != nil {
			b.Fatal(err)
		}
		var err error
		if seq, err = tx.Commit(); err != nil {
			b.Fatal(err)
		}
		if i%64 == 0 {
			if err := db.Ack(seq); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	mustClose(b, db)
}

func BenchmarkGet(b *testing.B) {
	db, dir := benchDB(b, benchKeys)
	b.Run("active", func(b *testing.B) { benchGet(b, db) })
	mustClose(b, db)
	db = mustOpen(b, dir, Options{MergeDeadBytes: -1})
	b.Run("sealed", func(b *testing.B) { benchGet(b, db) })
	mustClose(b, db)
	db = mustOpen(b, dir, Options{MergeDeadBytes: -1, NoMmap: true})
	b.Run("pread", func(b *testing.B) { benchGet(b, db) })
	mustClose(b, db)
}

func benchGet(b *testing.B, db *DB) {
	b.Helper()
	var key [16]byte
	var value []byte
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i++
		var err error
		value, err = db.AppendGet(value[:0], benchKey(key[:], i*7919%benchKeys))
		if err != nil || len(value) != 128 {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestart is the time that Open takes for a million keys: with hint files,
// and without them, as after a crash, when the data is read.
func BenchmarkRestart(b *testing.B) {
	db, dir := benchDB(b, benchKeys)
	mustClose(b, db)
	b.Run("hints", func(b *testing.B) { benchRestart(b, dir, false) })
	b.Run("data", func(b *testing.B) { benchRestart(b, dir, true) })
}

func benchRestart(b *testing.B, dir string, withoutHints bool) {
	b.Helper()
	var load time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		if withoutHints {
			dropHints(b, dir)
		}
		b.StartTimer()
		db := mustOpen(b, dir, Options{MergeDeadBytes: -1})
		load += db.Stats().LoadTime
		n++
		b.StopTimer()
		mustClose(b, db)
		b.StartTimer()
	}
	b.ReportMetric(float64(n)*benchKeys/load.Seconds()/1e6, "Mkeys/s")
}

func dropHints(b *testing.B, dir string) {
	b.Helper()
	hints, err := filepath.Glob(filepath.Join(dir, "*"+hintSuffix))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range hints {
		if err := os.Remove(name); err != nil {
			b.Fatal(err)
		}
	}
}
