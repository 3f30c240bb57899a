package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkWarm reads and writes keys with values of 64 bytes in random order, in
// groups as pipelines bring them: as they come, and after Warm of the whole group.
func BenchmarkWarm(b *testing.B) {
	n := benchmarkKeyCount()
	db := mustOpen(b, b.TempDir(), Options{MergeDeadBytes: -1, Sync: SyncNever})
	defer mustClose(b, db)
	w := warmBench{db: db, n: n, value: make([]byte, 64)}
	var key []byte
	for i := range n {
		key = shardedKey(key, i)
		w.put(b, key)
	}
	for _, size := range []int{16, 64, 256} {
		for _, op := range []string{"get", "put"} {
			for _, warm := range []bool{false, true} {
				b.Run(fmt.Sprintf("keys=%d/group=%d/%s/warm=%v", n, size, op, warm), func(b *testing.B) {
					w.run(b, size, op == "put", warm)
				})
			}
		}
	}
}

type warmBench struct {
	db    *DB
	n     int
	value []byte
	seq   uint64
}

func (w *warmBench) put(b *testing.B, key []byte) {
	b.Helper()
	tx := w.db.BeginKey(key, true)
	err := tx.Put(0, key, Meta{}, w.value)
	if err == nil {
		w.seq, err = tx.Commit()
	}
	if err != nil {
		b.Fatal(err)
	}
}

func (w *warmBench) run(b *testing.B, size int, put, warm bool) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, uint64(size)))
	keys := make([][]byte, size)
	if err := w.db.Ack(w.seq); err != nil {
		b.Fatal(err)
	}
	var value []byte
	at := cpuTime(b)
	for i := 0; i < b.N; i += size {
		for j := range keys {
			keys[j] = shardedKey(keys[j], rnd.IntN(w.n))
		}
		if warm {
			w.db.Warm(0, keys, !put, nil)
		}
		for _, key := range keys {
			if put {
				w.put(b, key)
				continue
			}
			var err error
			if value, err = w.db.AppendGet(value[:0], key); err != nil {
				b.Fatal(err)
			}
		}
		if put {
			if err := w.db.Ack(w.seq); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(cpuTime(b)-at)/float64(b.N), "cpu-ns/op")
}
