package types

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"bitkv/engine"
)

// evict evicts n keys, or fewer if there are no more, and returns how many went.
func (s *testStore) evict(p EvictionPolicy, n int) (gone int) {
	s.tb.Helper()
	before := s.Stats().Evicted
	err := s.Evict(p, func(time.Duration) bool { n--; return n < 0 })
	if err != nil && !errors.Is(err, ErrNothingToEvict) {
		s.tb.Fatalf("Evict: %v", err)
	}
	return int(s.Stats().Evicted - before)
}

// left returns which of the keys row:0 .. row:n-1 of database 0 are there.
func (s *testStore) left(n int) (there []bool) {
	s.tb.Helper()
	there = make([]bool, n)
	s.view(0, func(tx *Tx) {
		tx.SetNoTouch(true)
		for i := range there {
			there[i] = tx.Keyspace().Exists(fmt.Appendf(nil, "row:%d", i))
		}
	})
	return there
}

func lru(samples int) EvictionPolicy { return EvictionPolicy{By: EvictLRU, Samples: samples} }

// fillRows makes the keys row:0 .. row:n-1, a second apart.
func (s *testStore) fillRows(n int) {
	s.tb.Helper()
	for i := range n {
		s.set(0, fmt.Sprintf("row:%d", i), "v")
		s.clock.advance(time.Second)
	}
}

// meanOf returns the mean number of the rows that are gone.
func meanOf(there []bool) float64 {
	sum, n := 0, 0
	for i, ok := range there {
		if !ok {
			sum += i
			n++
		}
	}
	return float64(sum) / float64(max(n, 1))
}

// With exact LRU the mean of the rows that go would be 250 of 1000, at random 500.
func TestEvictLRUGoesByIdleTime(t *testing.T) {
	const rows = 1000
	for samples, limit := range map[int]float64{5: 340, 10: 310} {
		s := openTest(t, Options{})
		s.fillRows(rows)
		if gone := s.evict(lru(samples), rows/2); gone != rows/2 {
			t.Fatalf("%d keys went", gone)
		}
		if mean := meanOf(s.left(rows)); mean > limit {
			t.Errorf("with %d samples the mean of what went is %.0f, over %.0f", samples, mean, limit)
		}
		if got := s.Size(0); got != rows/2 {
			t.Errorf("%d keys are left", got)
		}
	}
}

// With so many samples the pool sees every key: the order is exact.
func TestEvictLRUExact(t *testing.T) {
	s := openTest(t, Options{})
	s.fillRows(20)
	s.get(0, "row:0") // used again: it goes last
	for want := 1; want < 20; want++ {
		// The pool keeps what it saw: it is emptied, so that luck plays no part.
		s.evictor.forget()
		for range 3 {
			s.fillPool(lru(100), false)
		}
		s.evict(lru(100), 1)
		there := s.left(20)
		if there[want] || !there[0] {
			t.Fatalf("eviction %d: row %d is there: %v, row 0: %v", want, want, there[want], there[0])
		}
	}
}

// A key that is used after it came into the pool stays.
func TestEvictSkipsWhatWasUsedSince(t *testing.T) {
	s := openTest(t, Options{})
	s.fillRows(10)
	for range 200 {
		s.fillPool(lru(10), false)
	}
	if n := len(s.evictor.pool); n != 10 {
		t.Fatalf("the pool has %d keys", n)
	}
	s.get(0, "row:0")
	s.evict(lru(10), 9)
	if there := s.left(10); !there[0] {
		t.Error("the key that was used last went")
	}
}

func TestEvictLFUGoesByFrequency(t *testing.T) {
	const rows = 300
	s := openTest(t, Options{})
	s.SetAccessClock(AccessClock{LFU: true, LogFactor: 0, DecayMinutes: 1})
	for i := range rows {
		s.set(0, fmt.Sprintf("row:%d", i), "v")
	}
	for i := range rows { // with factor 0 every access counts
		for range i % 3 * 20 {
			s.get(0, fmt.Sprintf("row:%d", i))
		}
	}
	s.evict(EvictionPolicy{By: EvictLFU, Samples: 10}, rows/3)
	var gone [3]int
	for i, ok := range s.left(rows) {
		if !ok {
			gone[i%3]++
		}
	}
	if gone[0] < rows/3*9/10 || gone[2] > 0 {
		t.Errorf("of keys never, sometimes and often used went %v", gone)
	}
	// Unused for a long time, all counters are 0: the often used go as well.
	s.clock.advance(24 * time.Hour)
	if n := s.evict(EvictionPolicy{By: EvictLFU, Samples: 10}, rows); n != rows-rows/3 {
		t.Errorf("%d went", n)
	}
}

func TestEvictVolatileLeavesOthers(t *testing.T) {
	for _, by := range []EvictionOrder{EvictLRU, EvictLFU, EvictTTL, EvictRandom} {
		s := openTest(t, Options{})
		for i := range 400 {
			o := SetOptions{}
			if i%2 == 0 {
				o.ExpireMs = s.clock.now() + 1_000_000
			}
			s.setOpt(i%3, fmt.Sprintf("key:%d", i), "v", o)
		}
		s.hset("hash", "f", "v") // fields that expire do not make the key volatile
		s.expireFields("hash", s.clock.now()+1_000_000, 0, "f")
		p := EvictionPolicy{Volatile: true, By: by, Samples: 5}
		if n := s.evict(p, 1000); n != 200 {
			t.Errorf("order %d: %d keys went, want the 200 that expire", by, n)
		}
		total := 0
		for db := range 3 {
			total += s.Size(db)
			if n, _ := s.ExpireStats(db); n != 0 {
				t.Errorf("order %d: database %d has %d keys left that expire", by, db, n)
			}
		}
		if total != 201 {
			t.Errorf("order %d: %d keys are left", by, total)
		}
		err := s.Evict(p, func(time.Duration) bool { return false })
		if !errors.Is(err, ErrNothingToEvict) {
			t.Errorf("order %d: %v", by, err)
		}
	}
}

func TestEvictTTLGoesByExpiry(t *testing.T) {
	const rows = 1000
	s := openTest(t, Options{})
	for i := range rows {
		at := s.clock.now() + 1_000_000 + int64(i*7919%rows)*1000
		s.setOpt(0, fmt.Sprintf("row:%d", i*7919%rows), "v", SetOptions{ExpireMs: at})
	}
	s.evict(EvictionPolicy{Volatile: true, By: EvictTTL, Samples: 5}, rows/2)
	if mean := meanOf(s.left(rows)); mean > 280 {
		t.Errorf("the mean of what went is %.0f; exact order has 250", mean)
	}
}

func TestEvictRandomIsUniform(t *testing.T) {
	const rows = 2000
	s := openTest(t, Options{})
	for i := range rows { // one shard has half of the keys
		key := fmt.Sprintf("row:%d", i)
		if i%2 == 0 {
			key = fmt.Sprintf("{tag}:%d", i)
		}
		s.set(0, key, "v")
	}
	s.evict(EvictionPolicy{By: EvictRandom}, rows/2)
	odd := 0
	for i, ok := range s.left(rows) {
		if i%2 == 1 && ok {
			odd++
		}
	}
	// 500 are expected, with a deviation of about 16.
	if odd < 400 || odd > 600 {
		t.Errorf("%d of the 1000 keys spread over the shards are left, of %d in all", odd, s.Size(0))
	}
}

// The first picks are in proportion, too, when it is not known yet how full shards are.
func TestEvictPicksShardsInProportion(t *testing.T) {
	s := openTest(t, Options{})
	for i := range 400 {
		key := fmt.Sprintf("row:%d", i)
		if i%2 == 0 {
			key = fmt.Sprintf("{tag}:%d", i)
		}
		s.set(0, key, "v")
	}
	full := s.eng.ShardOf([]byte("{tag}"))
	picked := 0
	for range 1000 {
		clear(s.evictor.most)
		if s.pickShard(0, func(tx *engine.Tx, shard int) int { return tx.ShardLen(keySpace(0), shard) }) == full {
			picked++
		}
	}
	// 500 and a few are expected, with a deviation of 16.
	if picked < 400 || picked > 600 {
		t.Errorf("the shard with half of the keys was picked %d times of 1000", picked)
	}
}

// What follows from an eviction: the watch, the event, the counters; nothing that
// would have to be saved.
func TestEvictTellsOthers(t *testing.T) {
	var events []Event
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e) }})
	s.set(3, "k", "v")
	s.SetEvents(EventEvicted)
	w := s.NewWatcher()
	s.view(3, func(tx *Tx) { w.Watch(tx, []byte("k")) })
	dirty := s.Stats().Dirty
	if n := s.evict(lru(5), 1); n != 1 {
		t.Fatalf("%d went", n)
	}
	if !w.Dirty() {
		t.Error("the watch of the key is not dirty")
	}
	w.Unwatch()
	if len(events) != 1 || events[0] != (Event{DB: 3, Class: EventEvicted, Name: "evicted", Key: "k"}) {
		t.Errorf("events: %v", events)
	}
	if got := s.Stats(); got.Evicted != 1 || got.Dirty != dirty || got.Expired != 0 {
		t.Errorf("stats: %+v", got)
	}
	s.reopen() // the log has it
	if s.Size(3) != 0 {
		t.Error("the key came back")
	}
}

// Others read and write meanwhile.
func TestEvictConcurrently(t *testing.T) {
	s := openTest(t, Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 3000 {
			s.set(0, fmt.Sprintf("row:%d", i), "v")
			s.get(0, fmt.Sprintf("row:%d", i/2))
		}
	}()
	gone := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			gone += s.evict(lru(5), 10)
		}
	}
	if got := s.Size(0); got != 3000-gone {
		t.Errorf("%d keys are left and %d went, of 3000", got, gone)
	}
}
