package types

import (
	"math/rand/v2"

	"bitkv/engine"
)

// The access clock of a key is 24 bits in its keydir entry, as in Redis. What
// they are depends on maxmemory-policy:
//
//	LRU  seconds of the Unix time of the last access, modulo 2^24
//	LFU  bits 23..8: minutes of the Unix time of the last decay, modulo 2^16;
//	     bits 7..0: Redis's logarithmic counter
//
// 0 as a whole means never set since Open. The clock is not on disk. Nothing in it
// says which of the two it is: after a change of the policy it takes some time to
// adjust, as Redis's does.

const (
	clockBits  = 24
	clockMask  = 1<<clockBits - 1
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

// nextClock is the access clock of a key that is accessed now and had the clock
// old.
func (tx *Tx) nextClock(old uint32) uint32 {
	c := tx.s.access.Load()
	if !c.LFU {
		return lruNow(tx.nowMs)
	}
	return lfuClock(tx.nowMs, c.increment(c.decayed(old, tx.nowMs, tx.s.openMs), rand.Float64()))
}

// firstClock is the access clock of a key that comes to be now.
func (tx *Tx) firstClock() uint32 {
	if tx.s.access.Load().LFU {
		return lfuClock(tx.nowMs, lfuInitial)
	}
	return lruNow(tx.nowMs)
}

// lruNow is the LRU clock of an access at nowMs. It is never 0, which means unset.
func lruNow(nowMs int64) uint32 { return max(uint32(nowMs/1000)&clockMask, 1) }

func lfuMinutes(nowMs int64) uint16 { return uint16(nowMs / 60_000) }

// lfuClock is the LFU clock of a counter as of nowMs. It is never 0 either.
func lfuClock(nowMs int64, counter uint8) uint32 {
	return max(uint32(lfuMinutes(nowMs))<<8|uint32(counter), 1)
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

// decayed is the counter of an LFU clock, less what it lost since it was set. One
// that was never set counts as that of a key that came with Open.
func (c *AccessClock) decayed(clock uint32, nowMs, openMs int64) uint8 {
	if clock == 0 {
		clock = lfuClock(openMs, lfuInitial)
	}
	counter := uint8(clock)
	if c.DecayMinutes <= 0 {
		return counter
	}
	elapsed := int(lfuMinutes(nowMs) - uint16(clock>>8)) // modulo 2^16
	return uint8(max(int(counter)-elapsed/c.DecayMinutes, 0))
}

// maxIdleSec is the longest idle time. What seems to be longer, up to a day, is a
// system clock that was set back.
const maxIdleSec = clockMask - 24*3600

// idleSeconds is the time since an LRU clock was set, or since openMs if it was
// not.
func idleSeconds(clock uint32, nowMs, openMs int64) int64 {
	if clock == 0 {
		return max((nowMs-openMs)/1000, 0)
	}
	idle := (lruNow(nowMs) - clock) & clockMask
	if idle > maxIdleSec {
		return 0
	}
	return int64(idle)
}
