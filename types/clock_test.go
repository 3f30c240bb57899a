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
			if got := c.decayed(lfuClock(base, tt.counter), base+tt.laterMs); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	// The minutes wrap at 2^16.
	c := AccessClock{LFU: true, DecayMinutes: 1}
	before := int64(65535) * minute
	if got := c.decayed(lfuClock(before, 10), before+2*minute); got != 8 {
		t.Errorf("over the wrap: got %d, want 8", got)
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
		{"left by the lfu policy", lfuClock(now, 7), 100},
		{"accessed now", lruNow(now), 0},
		{"accessed before", lruNow(now - 30_500), 31},
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
