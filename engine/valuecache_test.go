package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func cachedValue(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d.", n), 1+n%50) }

// TestValueCacheModel adds and looks up at random: what is found is what was added,
// and the memory stays within the limit.
func TestValueCacheModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 0))
	for _, limit := range []int64{200 << 10, 1 << 20, 5 << 20} {
		c := newValueCache(limit)
		hits := 0
		for range 200_000 {
			n := int(rnd.ExpFloat64() * 10_000)
			loc := makeLocation(uint32(1+n%7), int64(n))
			got, ok := c.appendTo([]byte("x"), loc, len(cachedValue(n)))
			switch {
			case !ok && string(got) != "x":
				t.Fatalf("a miss appended %q", got)
			case !ok:
				c.add(loc, cachedValue(n))
			case string(got[1:]) != string(cachedValue(n)):
				t.Fatalf("value %d: got %q", n, got[1:])
			default:
				hits++
			}
			if n := c.bytes.Load(); n > limit+cacheSegmentBytes*int64(len(c.shards)) {
				t.Fatalf("%d bytes, limit %d", n, limit)
			}
		}
		if hits == 0 || int64(hits) != c.hits.Load() {
			t.Errorf("limit %d: %d hits, %d counted", limit, hits, c.hits.Load())
		}
		var sum int64
		for i := range c.shards {
			sum += c.shards[i].bytes()
		}
		if sum != c.bytes.Load() {
			t.Errorf("limit %d: the shards have %d bytes, %d counted", limit, sum, c.bytes.Load())
		}
	}
}

// TestValueCacheResistsScans: values that are asked for again survive a walk over
// ten times what fits.
func TestValueCacheResistsScans(t *testing.T) {
	c := newValueCache(1 << 20)
	value := bytes.Repeat([]byte("v"), 100)
	get := func(n int) bool {
		_, ok := c.appendTo(nil, makeLocation(1, int64(n)), len(value))
		if !ok {
			c.add(makeLocation(1, int64(n)), value)
		}
		return ok
	}
	const hot = 1000
	for range 3 {
		for n := range hot {
			get(n)
		}
	}
	for n := range 60_000 {
		get(hot + n)
		if n%20 == 0 {
			get(n / 20 % hot) // each of them once in 20,000
		}
	}
	found := 0
	for n := range hot {
		if get(n) {
			found++
		}
	}
	if found < hot*9/10 {
		t.Errorf("%d of %d survived", found, hot)
	}
}

func TestValueCacheRefuses(t *testing.T) {
	if c := newValueCache(0); c != nil {
		t.Error("a cache of no size")
	}
	var none *valueCache
	none.add(1, []byte("x"))
	if _, ok := none.appendTo(nil, 1, 1); ok {
		t.Error("a cache that is not there found something")
	}
	c := newValueCache(1 << 20)
	c.add(1, make([]byte, maxCachedValue+1))
	if _, ok := c.appendTo(nil, 1, maxCachedValue+1); ok {
		t.Error("a value that is too long was kept")
	}
	c.add(2, []byte("abc"))
	if _, ok := c.appendTo(nil, 2, 4); ok {
		t.Error("a value of another length was found")
	}
}

func BenchmarkValueCacheHit(b *testing.B) {
	c := newValueCache(16 << 20)
	value := bytes.Repeat([]byte("v"), 100)
	for n := range 10_000 {
		c.add(makeLocation(1, int64(n)), value)
	}
	var dst []byte
	i := 0
	for b.Loop() {
		dst, _ = c.appendTo(dst[:0], makeLocation(1, int64(i*7919%10_000)), 100)
		i++
	}
}
