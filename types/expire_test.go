package types

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"
)

func TestExpireMs(t *testing.T) {
	const now = testEpochMs
	tx := &Tx{nowMs: now}
	tests := []struct {
		name         string
		n            int64
		unit         ExpireUnit
		want         int64
		ok, positive bool // is it good for EXPIRE, for SET
	}{
		{"seconds", 10, Seconds, now + 10_000, true, true},
		{"milliseconds", 10, Millis, now + 10, true, true},
		{"at seconds", 10, AtSeconds, 10_000, true, true},
		{"at milliseconds", 10, AtMillis, 10, true, true},
		{"zero", 0, Seconds, now, true, false},
		{"negative", -5, Seconds, now - 5000, true, false},
		{"negative time", -5, AtMillis, -5, true, false},
		{"most seconds", math.MaxInt64 / 1000, AtSeconds, math.MaxInt64 / 1000 * 1000, true, true},
		{"seconds overflow", math.MaxInt64/1000 + 1, AtSeconds, 0, false, false},
		{"seconds underflow", math.MinInt64/1000 - 1, AtSeconds, 0, false, false},
		{"sum overflows", math.MaxInt64 / 1000, Seconds, 0, false, false},
		{"most milliseconds", math.MaxInt64 - now, Millis, math.MaxInt64, true, true},
		{"milliseconds overflow", math.MaxInt64 - now + 1, Millis, 0, false, false},
		{"least milliseconds", math.MinInt64, Millis, math.MinInt64 + now, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tx.ExpireMs(tt.n, tt.unit)
			if (err == nil) != tt.ok || err == nil && got != tt.want {
				t.Errorf("ExpireMs: %d, %v, want %d, %v", got, err, tt.want, tt.ok)
			}
			got, err = tx.PositiveExpireMs(tt.n, tt.unit)
			if (err == nil) != tt.positive || err == nil && got != tt.want {
				t.Errorf("PositiveExpireMs: %d, %v, want %d, %v", got, err, tt.want, tt.positive)
			}
			if err != nil && !errors.Is(err, ErrExpireTime) {
				t.Errorf("error %v, want %v", err, ErrExpireTime)
			}
		})
	}
}

func TestExpireConditions(t *testing.T) {
	s := openTest(t, Options{})
	const none, sooner, same, later = 0, testEpochMs + 1000, testEpochMs + 2000, testEpochMs + 3000
	tests := []struct {
		name   string
		hasMs  int64 // the expiry that the key has
		cond   ExpireCond
		newMs  int64
		wantMs int64
	}{
		{"plain", none, 0, same, same},
		{"NX without", none, ExpireNX, same, same},
		{"NX with", same, ExpireNX, later, same},
		{"XX without", none, ExpireXX, same, none},
		{"XX with", same, ExpireXX, sooner, sooner},
		{"GT without", none, ExpireGT, same, none},
		{"GT later", same, ExpireGT, later, later},
		{"GT same", same, ExpireGT, same, same},
		{"GT sooner", same, ExpireGT, sooner, same},
		{"LT without", none, ExpireLT, same, same},
		{"LT sooner", same, ExpireLT, sooner, sooner},
		{"LT same", same, ExpireLT, same, same},
		{"LT later", same, ExpireLT, later, same},
		{"XX LT without", none, ExpireXX | ExpireLT, same, none},
		{"XX GT later", same, ExpireXX | ExpireGT, later, later},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.setOpt(0, "k", "v", SetOptions{ExpireMs: tt.hasMs})
			s.update(0, func(tx *Tx) {
				changed := tx.Keyspace().Expire([]byte("k"), tt.newMs, tt.cond)
				if want := tt.wantMs != tt.hasMs; changed != want {
					t.Errorf("Expire returned %v, want %v", changed, want)
				}
				want := tt.wantMs
				if want == 0 {
					want = -1
				}
				if got := tx.Keyspace().PExpireTime([]byte("k")); got != want {
					t.Errorf("expiry %d, want %d", got, want)
				}
			})
		})
	}
}

func TestExpireInThePastDeletes(t *testing.T) {
	s := openTest(t, Options{})
	for _, atMs := range []int64{testEpochMs, testEpochMs - 1, 0, -1, math.MinInt64} {
		s.set(0, "k", "v")
		s.update(0, func(tx *Tx) {
			if !tx.Keyspace().Expire([]byte("k"), atMs, 0) {
				t.Errorf("Expire at %d returned false", atMs)
			}
		})
		s.want(0, "k", "(nil)")
		if s.Size(0) != 0 {
			t.Errorf("the key is still there after an expiry at %d", atMs)
		}
	}
	s.update(0, func(tx *Tx) {
		if tx.Keyspace().Expire([]byte("missing"), testEpochMs+1000, 0) {
			t.Error("Expire of a missing key returned true")
		}
	})
}

func TestTTL(t *testing.T) {
	s := openTest(t, Options{})
	check := func(key string, ttl, pttl, at, pat int64) {
		t.Helper()
		s.view(0, func(tx *Tx) {
			k := tx.Keyspace()
			got := [4]int64{k.TTL([]byte(key)), k.PTTL([]byte(key)), k.ExpireTime([]byte(key)), k.PExpireTime([]byte(key))}
			if want := [4]int64{ttl, pttl, at, pat}; got != want {
				t.Errorf("%s: TTL, PTTL, EXPIRETIME, PEXPIRETIME = %v, want %v", key, got, want)
			}
		})
	}
	check("k", -2, -2, -2, -2)
	s.set(0, "k", "v")
	check("k", -1, -1, -1, -1)
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 1499})
	check("k", 1, 1499, testEpochMs/1000+1, testEpochMs+1499)
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 1500})
	check("k", 2, 1500, testEpochMs/1000+2, testEpochMs+1500)
	s.clock.advance(1500 * time.Millisecond)
	check("k", 0, 0, testEpochMs/1000+2, testEpochMs+1500) // its last millisecond
	s.clock.advance(time.Millisecond)
	check("k", -2, -2, -2, -2)
	// As redis-server 7.0.15 rounds the largest.
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: math.MaxInt64})
	s.view(0, func(tx *Tx) {
		if got := tx.Keyspace().ExpireTime([]byte("k")); got != 9223372036854776 {
			t.Errorf("EXPIRETIME of the largest: %d", got)
		}
	})
	s.update(0, func(tx *Tx) {
		if !tx.Keyspace().Persist([]byte("k")) || tx.Keyspace().Persist([]byte("k")) {
			t.Error("Persist: want true once")
		}
	})
	check("k", -1, -1, -1, -1)
}

// TestReaderRemovesExpired: a transaction that only reads sees the key as missing
// and removes it when it ends.
func TestReaderRemovesExpired(t *testing.T) {
	s := openTest(t, Options{})
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 10})
	s.clock.advance(time.Second)
	if s.Size(0) != 1 {
		t.Fatal("the key was removed by nobody")
	}
	s.want(0, "k", "(nil)")
	if n := s.Size(0); n != 0 {
		t.Errorf("%d keys after the read, want 0", n)
	}
	if n := s.Stats().Expired; n != 1 {
		t.Errorf("%d keys counted as expired, want 1", n)
	}
}

func TestActiveExpiry(t *testing.T) {
	s := openTest(t, Options{})
	const n = 5 * expireBatch
	s.update(2, func(tx *Tx) {
		for i := range n {
			key := fmt.Appendf(nil, "k%d", i)
			if _, err := tx.String().Set(key, []byte("v"), SetOptions{ExpireMs: testEpochMs + int64(i)}); err != nil {
				t.Fatal(err)
			}
			// All in one shard too, so that one lock hold is not enough.
			key = fmt.Appendf(nil, "{tag}%d", i)
			if _, err := tx.String().Set(key, []byte("v"), SetOptions{ExpireMs: testEpochMs + 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
	round := func() { s.expiry.round(time.Now().Add(time.Hour)) }
	s.clock.advance(n / 2 * time.Millisecond)
	round()
	// Those at testEpochMs + n/2 and later live.
	if got := s.Size(2); got != n/2 {
		t.Errorf("%d keys left, want %d", got, n/2)
	}
	s.clock.advance(time.Hour)
	round()
	if got := s.Size(2); got != 0 {
		t.Errorf("%d keys left, want 0", got)
	}
	if got := s.Stats(); got.Expired != 2*n || got.ExpiredStalePerc <= 0 {
		t.Errorf("stats %+v, want %d expired", got, 2*n)
	}
}

// TestActiveExpiryStopsAtItsDeadline and goes on from there.
func TestActiveExpiryStopsAtItsDeadline(t *testing.T) {
	s := openTest(t, Options{})
	const n = 3 * expireBatch
	s.update(0, func(tx *Tx) {
		for i := range n {
			if _, err := tx.String().Set(fmt.Appendf(nil, "{a}%d", i), nil, SetOptions{ExpireMs: testEpochMs + 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
	s.clock.advance(time.Second)
	for want := n - expireBatch; want >= 0; want -= expireBatch {
		s.expiry.round(time.Now().Add(-time.Second))
		if got := s.Size(0); got != want {
			t.Fatalf("%d keys left, want %d", got, want)
		}
	}
	if got := s.Stats().ExpireCapReached; got != 3 {
		t.Errorf("cap reached %d times, want 3", got)
	}
}

// TestActiveExpiryRuns waits for the real goroutine.
func TestActiveExpiryRuns(t *testing.T) {
	s := openTest(t, Options{Hz: 500})
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 10})
	s.clock.advance(time.Second)
	s.SetActiveExpire(true)
	deadline := time.Now().Add(time.Minute)
	for s.Size(0) != 0 {
		if time.Now().After(deadline) {
			t.Fatal("the key is still there after a minute")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestPausedExpiryRemovesNothing(t *testing.T) {
	s := openTest(t, Options{})
	s.setOpt(0, "k", "v", SetOptions{ExpireMs: testEpochMs + 10})
	s.clock.advance(time.Second)
	s.PauseExpiry(true)
	s.want(0, "k", "(nil)")
	s.update(0, func(tx *Tx) {
		if tx.Keyspace().Del([]byte("k")) {
			t.Error("Del found an expired key")
		}
	})
	if n := s.Size(0); n != 1 {
		t.Errorf("%d keys, want the expired one", n)
	}
	if !s.setOpt(0, "k", "new", SetOptions{NX: true}) {
		t.Error("NX was refused because of an expired key")
	}
	s.want(0, "k", "new")
	s.PauseExpiry(false)
}
