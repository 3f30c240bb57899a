package resp

import (
	"runtime"
	"sync/atomic"

	"bitkv/types"
)

// What used_memory is: not what the Go heap has, where garbage waits to be
// collected, but what is held, counted as it comes and goes. Beside the data,
// which the engine counts, it is what the clients hold, as of the last tick, and
// what the process had before it had either, measured once.

// memoryCount is the part of it that the server counts itself.
type memoryCount struct {
	base    int64        // of the process alone
	clients atomic.Int64 // of all clients, as of the last tick
	start   atomic.Int64 // used_memory_startup
	peak    atomic.Int64
}

// What the state about a key that is watched, or waited for, takes, about.
const (
	watchedKeyBytes = 200
	awaitedKeyBytes = 400
)

// init measures the process. It collects garbage, so that it is not taken for
// something that is needed.
func (m *memoryCount) init() {
	runtime.GC()
	now := readMemory()
	m.base = now.objects + now.stacks
	m.start.Store(m.base)
	m.peak.Store(m.base)
}

// memoryUsed is used_memory by its parts, in bytes.
type memoryUsed struct {
	base    int64
	clients int64
	data    types.MemoryStats
}

// total is used_memory.
func (m *memoryUsed) total() int64 {
	d := &m.data
	return m.base + m.clients + d.Fixed + d.Keys + d.Collections + d.Expiry + d.Cache + d.Tail
}

// MemoryUsed is the memory that is held, in bytes, garbage not included.
func (s *Server) MemoryUsed() int64 {
	m := s.memoryUsed()
	return m.total() + m.data.Holes
}

// overhead is the part of total that is not for the sake of any key.
func (m *memoryUsed) overhead() int64 { return m.base + m.clients + m.data.Fixed + m.data.Tail }

// dataset is the other part.
func (m *memoryUsed) dataset() int64 { return m.total() - m.overhead() }

// memoryUsed counts what is used now. It costs a few loads.
func (s *Server) memoryUsed() (m memoryUsed) {
	m.base = s.memory.base
	m.clients = s.memory.clients.Load() + s.stats.keysWatched.Load()*watchedKeyBytes
	if store := s.loadedStore(); store != nil {
		m.data = store.Engine().Memory()
		m.clients += store.Waiting() * awaitedKeyBytes
	}
	return m
}

// sampleMemory brings what the clients hold up to date, and the peak.
func (s *Server) sampleMemory() memoryUsed {
	s.memory.clients.Store(s.clientMemory())
	m := s.memoryUsed()
	s.memory.saw(m.total())
	return m
}

// saw keeps the peak.
func (m *memoryCount) saw(used int64) {
	for {
		peak := m.peak.Load()
		if used <= peak || m.peak.CompareAndSwap(peak, used) {
			return
		}
	}
}

// clientMemory is what the clients hold.
func (s *Server) clientMemory() int64 {
	sum := int64(0)
	s.eachClient(func(c *client) bool {
		sum += c.memory()
		return true
	})
	return sum
}
