package types

import "testing"

func TestLFUDecay(t *testing.T) {
	const minute = 60_000
	base := int64(1_700_000_000_000)
	tests := []struct {
		name         string
		counter      uint8
		decayMinutes int
		laterMs      int64
		want         uint8
	}{
		{"at once", 10, 1, 0, 10},
		{"one a minute", 10, 1, 3 * minute, 7},
		{"not below zero", 10, 1, 30 * minute, 0},
		{"every five minutes", 10, 5, 11 * minute, 8},
		{"never", 10, 0, 1000 * minute, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := AccessClock{LFU: true, LogFactor: 10, DecayMinutes: tt.decayMinutes}
			if got := c.decayed(lfuClock(base, tt.counter), base+tt.laterMs, base); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	// The minutes wrap at 2^16.
	c := AccessClock{LFU: true, DecayMinutes: 1}
	before := int64(65535) * minute
	if got := c.decayed(lfuClock(before, 10), before+2*minute, before); got != 8 {
		t.Errorf("over the wrap: got %d, want 8", got)
	}
}

// A clock that was never set is that of a key which came when the data was opened.
func TestLFUUnset(t *testing.T) {
	c := AccessClock{LFU: true, LogFactor: 10, DecayMinutes: 1}
	const open = int64(1_700_000_000_000)
	for minutes, want := range map[int64]uint8{0: lfuInitial, 2: lfuInitial - 2, 60: 0} {
		if got := c.decayed(0, open+minutes*60_000, open); got != want {
			t.Errorf("after %d minutes: got %d, want %d", minutes, got, want)
		}
	}
}

// No clock that is set is 0, and all fit in 24 bits.
func TestClockBits(t *testing.T) {
	for _, ms := range []int64{0, 999, 1 << 24 * 1000, 60_000 << 16, 1_700_000_000_000, 1<<53 - 1} {
		for _, clock := range []uint32{lruNow(ms), lfuClock(ms, 0), lfuClock(ms, 255)} {
			if clock == 0 || clock>>24 != 0 {
				t.Errorf("at %d ms: clock %#x", ms, clock)
			}
		}
	}
}

func TestLFUIncrement(t *testing.T) {
	c := AccessClock{LFU: true, LogFactor: 10}
	tests := []struct {
		counter uint8
		chance  float64
		want    uint8
	}{
		{0, 0.999, 1}, // up to the initial value every access counts
		{5, 0.999, 6},
		{6, 0.09, 7}, // then one in 1 + 10 * (counter - 5)
		{6, 0.10, 6},
		{255, 0, 255},
	}
	for _, tt := range tests {
		if got := c.increment(tt.counter, tt.chance); got != tt.want {
			t.Errorf("increment(%d, %v) = %d, want %d", tt.counter, tt.chance, got, tt.want)
		}
	}
}

func TestIdleSeconds(t *testing.T) {
	const now, open = 1_700_000_100_000, 1_700_000_000_000
	tests := []struct {
		name  string
		clock uint32
		want  int64
	}{
		{"never accessed", 0, 100},
		{"accessed now", lruNow(now), 0},
		{"accessed before", lruNow(now - 30_500), 31},
		{"accessed half a year ago", lruNow(now - 180*86400*1000), 180 * 86400},
		{"accessed in a future that a clock step undid", lruNow(now + 60_000), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := idleSeconds(tt.clock, now, open); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
