package types

import (
	"math/rand/v2"

	"bitkv/engine"
)

// The access clock of a key is 32 bits in its keydir entry, kept in one of two
// forms. Bit 31 says which, so that a change of policy misreads nothing:
//
//	0  seconds of the Unix time of the last access, modulo 2^31
//	1  bits 23..8: minutes of the Unix time of the last decay, modulo 2^16;
//	   bits 7..0: Redis's logarithmic counter
//
// 0 as a whole means never set since Open. The clock is not on disk.

const (
	lfuMark    = 1 << 31
	lfuInitial = 5 // what a new key's counter is, so that it is not evicted first
)

// AccessClock says what the access clock of a key is for.
type AccessClock struct {
	// LFU keeps a logarithmic access counter with decay, for OBJECT FREQ and
	// the lfu policies; otherwise the time of the last access is kept.
	LFU bool
	// LogFactor (lfu-log-factor) slows the counter down. Redis's default is 10.
	LogFactor int
	// DecayMinutes (lfu-decay-time) is the time after which an unused counter
	// loses one; 0 means never. Redis's default is 1.
	DecayMinutes int
}

// SetAccessClock changes what access clocks count (CONFIG SET maxmemory-policy,
// lfu-log-factor, lfu-decay-time).
func (s *Store) SetAccessClock(c AccessClock) { s.access.Store(&c) }

// touch records an access of a key.
func (tx *Tx) touch(h *engine.Head) {
	old := tx.eng.Clock(h)
	if next := tx.nextClock(old); next != old {
		tx.eng.SetClock(h, next)
	}
}

// nextClock is the access clock of a key accessed now; old is 0 for a new key.
func (tx *Tx) nextClock(old uint32) uint32 {
	c := tx.s.access.Load()
	if !c.LFU {
		return lruNow(tx.nowMs)
	}
	if old&lfuMark == 0 {
		return lfuClock(tx.nowMs, lfuInitial)
	}
	return lfuClock(tx.nowMs, c.increment(c.decayed(old, tx.nowMs), rand.Float64()))
}

func lruNow(nowMs int64) uint32 { return uint32(nowMs/1000) &^ lfuMark }

func lfuMinutes(nowMs int64) uint16 { return uint16(nowMs / 60_000) }

func lfuClock(nowMs int64, counter uint8) uint32 {
	return lfuMark | uint32(lfuMinutes(nowMs))<<8 | uint32(counter)
}

// increment counts one access: the higher the counter, the less likely. chance
// is uniform in [0, 1).
func (c *AccessClock) increment(counter uint8, chance float64) uint8 {
	if counter == 255 {
		return counter
	}
	above := max(int(counter)-lfuInitial, 0)
	if chance < 1/(float64(above)*float64(c.LogFactor)+1) {
		counter++
	}
	return counter
}

// decayed is the counter of an LFU clock, less what it lost since it was set.
func (c *AccessClock) decayed(clock uint32, nowMs int64) uint8 {
	counter := uint8(clock)
	if c.DecayMinutes <= 0 {
		return counter
	}
	elapsed := int(lfuMinutes(nowMs) - uint16(clock>>8)) // modulo 2^16
	return uint8(max(int(counter)-elapsed/c.DecayMinutes, 0))
}

// maxIdleSec is the longest idle time that can be told from a clock set back.
const maxIdleSec = 1<<30 - 1

// idleSeconds is the time since an LRU clock was set, or since openMs if it was
// not.
func idleSeconds(clock uint32, nowMs, openMs int64) int64 {
	if clock == 0 || clock&lfuMark != 0 {
		return max((nowMs-openMs)/1000, 0)
	}
	idle := (lruNow(nowMs) - clock) &^ lfuMark // modulo 2^31
	if idle > maxIdleSec {
		return 0 // the clock was set back
	}
	return int64(idle)
}
