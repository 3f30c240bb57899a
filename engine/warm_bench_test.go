package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkWarm looks keys up in a keyspace, in groups as pipelines bring them:
// without Warm, and after Warm of the whole group.
func BenchmarkWarm(b *testing.B) {
	n := benchmarkKeyCount()
	db := mustOpen(b, b.TempDir(), Options{MergeDeadBytes: -1, Sync: SyncNever})
	defer mustClose(b, db)
	var key []byte
	for i := range n {
		key = fmt.Appendf(key[:0], "key:%012d", i)
		tx := db.beginKey(key)
		if err := tx.Put(0, key, Meta{}, []byte("v")); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	for _, size := range []int{16, 64, 256} {
		for _, warm := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/group=%d/warm=%v", n, size, warm), func(b *testing.B) {
				benchWarm(b, db, n, size, warm)
			})
		}
	}
}

func benchWarm(b *testing.B, db *DB, n, size int, warm bool) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, uint64(size)))
	keys := make([][]byte, size)
	var value []byte
	before := cpuTime(b)
	defer func() { b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op") }()
	for i := 0; i < b.N; i += size {
		for j := range keys {
			keys[j] = fmt.Appendf(keys[j][:0], "key:%012d", rnd.IntN(n))
		}
		if warm {
			db.Warm(0, keys)
		}
		for _, key := range keys {
			var err error
			if value, err = db.AppendGet(value[:0], key); err != nil {
				b.Fatal(err)
			}
		}
	}
}
