package resp

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that are at most 1/8 wide, so that a
// percentile is right to within that. Everything is atomic.
type histogram struct {
	counts [histogramBuckets]atomic.Int64
}

// Durations below 8 ns have a bucket each; above, every power of two has eight.
const histogramBuckets = 8 + 8*(40-3)

// bucketOf returns the bucket of a duration; the last one takes all above 2^40 ns.
func bucketOf(d time.Duration) int {
	if d < 8 {
		return int(max(d, 0))
	}
	exp := bits.Len64(uint64(d)) - 1 // 3 and up
	if exp >= 40 {
		return histogramBuckets - 1
	}
	return 8 + (exp-3)<<3 + int(uint64(d)>>(exp-3)&7)
}

// bucketLimit returns the first duration above those of a bucket.
func bucketLimit(i int) time.Duration {
	if i < 8 {
		return time.Duration(i + 1)
	}
	exp, sub := (i-8)>>3+3, (i-8)&7
	return time.Duration(uint64(9+sub) << (exp - 3))
}

// snapshot returns the counts of all buckets and their sum.
func (h *histogram) snapshot() (counts [histogramBuckets]int64, total int64) {
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
		total += counts[i]
	}
	return counts, total
}

// percentile returns a duration that p percent of those counted do not exceed;
// 0 if none was counted.
func (h *histogram) percentile(p float64) time.Duration {
	counts, total := h.snapshot()
	if total == 0 {
		return 0
	}
	rank := max(int64(p/100*float64(total)+0.5), 1)
	for i, n := range counts {
		if rank -= n; rank <= 0 {
			return bucketLimit(i) - 1
		}
	}
	return bucketLimit(histogramBuckets - 1)
}
