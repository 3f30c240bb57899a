package engine

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// The benchmarks of level 1 as a server uses it: keys of 16 to 24 bytes, spread over
// as many shards as there are by default. BITKV_BENCH_KEYS says how many keys;
// 10,000,000 need 1 GB.

func benchmarkKeyCount() int {
	if n, err := strconv.Atoi(os.Getenv("BITKV_BENCH_KEYS")); err == nil {
		return n
	}
	return 1_000_000
}

// shardedKey appends key number i: 16 to 24 bytes that end in digits.
func shardedKey(dst []byte, i int) []byte {
	const prefix = "cache:v1:usr"
	dst = append(dst[:0], prefix[:4+i%9]...)
	for div := 100_000_000_000; div > 0; div /= 10 {
		dst = append(dst, '0'+byte(i/div%10))
	}
	return dst
}

// BenchmarkKeydir puts keys into an empty keydir, and looks them up in random order.
func BenchmarkKeydir(b *testing.B) {
	n := benchmarkKeyCount()
	before := heapBytes()
	tables := make([]*table, MaxShards)
	for i := range tables {
		tables[i] = newTable(newSpace(0, 0), IndexART)
	}
	var key []byte
	put, at := 0, cpuTime(b)
	for range n {
		key = shardedKey(key, put)
		t := tables[hashKey(key)%MaxShards]
		slot, _ := t.index.getOrPut(key, false)
		t.slots.set(slot, &entry{seq: uint64(put)})
		put++
	}
	putNs := float64(cpuTime(b)-at) / float64(n)
	heap := heapBytes() - before
	var slots, nodes int64
	for _, t := range tables {
		slots += t.slots.bytes()
		nodes += t.index.bytes()
	}
	b.Run("get", func(b *testing.B) {
		rnd := rand.New(rand.NewPCG(1, 2))
		at := cpuTime(b)
		for range b.N {
			key = shardedKey(key, rnd.IntN(n))
			t := tables[hashKey(key)%MaxShards]
			if slot, ok := t.index.get(key); !ok || t.slots.at(slot).tag != 0 {
				b.Fatal("a key is gone")
			}
		}
		b.ReportMetric(float64(cpuTime(b)-at)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(putNs, "put-ns/key")
		b.ReportMetric(heap/float64(n), "heap-B/key")
		b.ReportMetric(float64(slots)/float64(n), "slots-B/key")
		b.ReportMetric(float64(nodes)/float64(n), "index-B/key")
	})
}

// cpuTime returns the processor time that the process has used, in nanoseconds:
// on a machine that does other things besides, it says more than the time.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
