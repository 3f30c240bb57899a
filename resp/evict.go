package resp

import (
	"cmp"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bitkv/types"
)

// maxmemory. As in Redis the memory is looked at before every command, and if there
// is too much in use keys are evicted then and there, for a limited time; what is
// left is done in the background. Commands that may need more memory (denyoom) are
// refused only if there is nothing to evict.

// evictResult is what an attempt to get below maxmemory came to.
type evictResult uint8

const (
	evictOK      evictResult = iota
	evictRunning             // there is too much still; the background goes on
	evictFail                // there is too much, and no key that may go
)

// evictState is the state of eviction.
type evictState struct {
	kick chan struct{} // asks the background to look

	exceededSince atomic.Int64 // when memory came to be over the limit, as client.clock, +1; 0: it is not
	exceededNanos atomic.Int64 // for how long it was, before that, in all
}

// denyOOM reports whether a command may not run while memory is over the limit
// and nothing can be evicted. In MULTI even queueing it would take memory.
func (c *client) denyOOM(cmd *command) bool {
	if c.has(clientMulti) {
		switch cmd.name {
		case "exec":
			return c.queue.flags&flagDenyOOM != 0
		case "discard", "quit", "reset":
			return false
		}
		return true
	}
	return cmd.flags&flagDenyOOM != 0
}

// evictable is the memory that maxmemory limits: all but the log's tail, which
// goes to the disk by itself, and the cache of values, which has a limit of its own:
// no key is given up for either.
func (s *Server) evictable(store *types.Store) int64 {
	n := s.memory.base + s.memory.clients.Load() + store.Engine().MemoryUsed()
	return n + s.stats.keysWatched.Load()*watchedKeyBytes + store.Waiting()*awaitedKeyBytes
}

// freeMemory evicts keys if memory is over maxmemory. REQUIRES: the caller holds no
// lock of the store.
func (s *Server) freeMemory(cfg *Settings) evictResult {
	store := s.loadedStore()
	if store == nil || cfg.MaxMemory == 0 || s.evictable(store) <= cfg.MaxMemory {
		s.evict.within(s)
		return evictOK
	}
	if pauseMode(s.pause.mode.Load()) != pauseNone {
		return evictOK // nothing may change
	}
	result := evictFail
	if policy, ok := cfg.evictionPolicy(); ok {
		result = s.evictKeys(store, policy, cfg)
	}
	if result == evictOK {
		s.evict.within(s)
	} else {
		s.evict.exceeded(s)
	}
	return result
}

// clockCheckKeys is how many keys are evicted between two looks at the clock.
const clockCheckKeys = 16

// evictKeys evicts until memory is within the limit, or for as long as one command
// may take for it.
func (s *Server) evictKeys(store *types.Store, policy types.EvictionPolicy, cfg *Settings) evictResult {
	began := time.Now()
	budget := evictionBudget(cfg.EvictionTenacity)
	keys, result := 0, evictOK
	err := store.Evict(policy, func(took time.Duration) bool {
		if keys > 0 {
			s.noteLatency(cfg, "eviction-del", took)
		}
		if s.evictable(store) <= cfg.MaxMemory {
			return true
		}
		// What CONFIG SET has changed meanwhile holds for the next key.
		changed := s.config.Load() != cfg
		if keys++; changed || keys%clockCheckKeys == 0 && time.Since(began) > budget {
			result = evictRunning
			return true
		}
		return false
	})
	s.noteLatency(cfg, "eviction-cycle", time.Since(began))
	if err != nil {
		if !errors.Is(err, types.ErrNothingToEvict) {
			s.log.Warn("keys cannot be evicted", "error", err)
		}
		return evictFail
	}
	if result == evictRunning {
		s.evictSoon()
	}
	return result
}

// noteLatency tells the latency monitor about an event, if it took long enough.
func (s *Server) noteLatency(cfg *Settings, event string, took time.Duration) {
	if cfg.LatencyThresholdMs > 0 && took.Milliseconds() >= cfg.LatencyThresholdMs {
		s.admin.latency(event, took)
	}
}

// evictionBudget is for how long one command may evict, in Redis's words: up to a
// tenacity of 10 it is 50 us for each, then 15% more for each up to 99 (about two
// minutes), then without limit.
func evictionBudget(tenacity int64) time.Duration {
	switch {
	case tenacity <= 10:
		return time.Duration(tenacity) * 50 * time.Microsecond
	case tenacity < 100:
		return time.Duration(500 * math.Pow(1.15, float64(tenacity-10)) * float64(time.Microsecond))
	}
	return math.MaxInt64
}

// evictionPolicy is what maxmemory-policy says; ok is false if no key may go.
func (s *Settings) evictionPolicy() (p types.EvictionPolicy, ok bool) {
	which, by, ok := strings.Cut(s.MaxMemoryPolicy, "-")
	if !ok {
		return p, false
	}
	p.Volatile = which == "volatile"
	p.Samples = int(s.MaxMemorySamples)
	switch by {
	case "lfu":
		p.By = types.EvictLFU
	case "ttl":
		p.By = types.EvictTTL
	case "random":
		p.By = types.EvictRandom
	default:
		p.By = types.EvictLRU
	}
	return p, true
}

// evictSoon makes the background look at the memory.
func (s *Server) evictSoon() {
	select {
	case s.evict.kick <- struct{}{}:
	default:
	}
}

// evictLoop is the background part, until Close.
func (s *Server) evictLoop() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.evict.kick:
		}
		for s.freeMemory(s.config.Load()) == evictRunning {
			select {
			case <-s.stop:
				return
			default:
				runtime.Gosched()
			}
		}
	}
}

// exceeded begins the time over the limit, if it has not begun.
func (e *evictState) exceeded(s *Server) {
	e.exceededSince.CompareAndSwap(0, int64(time.Since(s.started))+1)
}

// within ends it.
func (e *evictState) within(s *Server) {
	if e.exceededSince.Load() == 0 {
		return
	}
	if since := e.exceededSince.Swap(0); since != 0 {
		e.exceededNanos.Add(int64(time.Since(s.started)) + 1 - since)
	}
}

// exceededMs returns for how long memory has been over the limit, in all and now.
func (e *evictState) exceededMs(s *Server) (total, current int64) {
	var now time.Duration
	if since := e.exceededSince.Load(); since != 0 {
		now = max(time.Since(s.started)-time.Duration(since-1), 0)
	}
	return (time.Duration(e.exceededNanos.Load()) + now).Milliseconds(), now.Milliseconds()
}

// minClientsLimit is the least that maxmemory-clients can be: with less nobody
// could talk to the server to set it right.
const minClientsLimit = 128 << 10

// clientsLimit is how much all clients together may hold; 0: no limit.
func (s *Settings) clientsLimit() int64 {
	limit := s.MaxMemoryClients
	if limit < 0 {
		limit = int64(float64(s.MaxMemory) * float64(-limit) / 100)
	}
	if limit == 0 {
		return 0
	}
	return max(limit, minClientsLimit)
}

// evictClients closes the clients that hold the most, until the others are within
// maxmemory-clients.
func (s *Server) evictClients(cfg *Settings) {
	limit := cfg.clientsLimit()
	if limit == 0 {
		return
	}
	type holder struct {
		c     *client
		bytes int64
	}
	var sum int64
	var all []holder
	s.eachClient(func(c *client) bool {
		if n := c.memory(); !c.has(clientCloseASAP) {
			sum += n
			all = append(all, holder{c, n})
		}
		return true
	})
	if sum <= limit {
		return
	}
	slices.SortFunc(all, func(a, b holder) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, h := range all {
		if sum <= limit {
			return
		}
		if h.c.has(clientNoEvict) {
			continue
		}
		s.log.Warn("client evicted: maxmemory-clients", "client", h.c.addr, "id", h.c.id, "bytes", h.bytes)
		s.stats.evictedClients.Add(1)
		h.c.kill()
		sum -= h.bytes
	}
}

// maxMemoryChanged is called when directives were set.
func (c *client) maxMemoryChanged(pairs []Setting) {
	s := c.srv
	if !slices.ContainsFunc(pairs, func(p Setting) bool { return strings.HasPrefix(strings.ToLower(p.Name), "maxmemory") }) {
		return
	}
	store := s.loadedStore()
	if store == nil {
		return
	}
	if !c.inExec() { // it would wait for the locks of this transaction
		store.AwaitEviction() // one that goes by what was set before
	}
	if limit := s.config.Load().MaxMemory; limit != 0 && s.evictable(store) > limit {
		s.log.Warn("maxmemory is less than the memory in use: keys will be evicted, or writes refused, as maxmemory-policy says",
			"maxmemory", limit, "used", s.evictable(store))
	}
	s.evictSoon()
}
