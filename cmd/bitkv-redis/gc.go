package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"bitkv/resp"
)

// The garbage collector. Most of the heap is the keydir, which has no pointers: a
// cycle over it is cheap, and what it makes garbage is little. So the collector is
// given little room to put garbage in, a share of the heap that gogc says, or a few
// tens of MB if that is more: a small heap would else be collected all the time. Go
// has no such lower bound, so GOGC is set anew as the heap grows.
//
// When much was deleted, no allocation may come for a long time that would start a
// cycle: one is started here. And what a time of many writes left with the runtime
// is given back to the system once it has not been needed for some seconds.

const (
	// gcFloorBytes is the least room for garbage.
	gcFloorBytes = 32 << 20
	// goLeastHeap times GOGC/100 is the heap below which the runtime does not collect.
	goLeastHeap = 4 << 20
	// loadGOGC is the least GOGC while the data is loaded: then nearly all that is
	// allocated stays, so a cycle takes processor time from the load and finds little.
	loadGOGC = 100
	// gcLookEvery is how often the heap is looked at.
	gcLookEvery = 100 * time.Millisecond
	// gcPause is the least time between two cycles that are started here.
	gcPause = 2 * time.Second
	// A surplus of memory over what is used, of a share of it and at least
	// surplusFloor, that lasts for surplusLasts without a cycle of the collector is
	// given back to the system. That holds everything up for some ten milliseconds,
	// so it is not done while there is much going on, nor often.
	surplusPercent = 10
	surplusFloor   = 16 << 20
	surplusLasts   = 3 * time.Second
	surplusPause   = 20 * time.Second
	// limitShare is what the memory limit of the runtime is above maxmemory, at
	// least limitFloor: buffers of the log, what the runtime itself needs, garbage.
	limitShare = 0.25
	limitFloor = 128 << 20
)

// gcPercent is the GOGC that gives a heap with live bytes the room that gogc says.
// 0 stands for no collection but at the memory limit. A heap that is smaller than what
// the runtime goes by is given no more than one of that size.
func gcPercent(gogc, live int64) int {
	if gogc == 0 {
		return -1
	}
	room := 100 * float64(gcFloorBytes) / float64(max(live, goLeastHeap))
	return int(math.Ceil(max(float64(gogc), room)))
}

// gogcNow is what holds of the directive gogc now.
func gogcNow(gogc int64, loading bool) int64 {
	if loading && gogc != 0 {
		return max(gogc, loadGOGC)
	}
	return gogc
}

// memoryLimit is the memory limit of the runtime: go-memlimit, or what follows from
// maxmemory.
func memoryLimit(cfg *resp.Settings) int64 {
	switch {
	case cfg.GoMemLimit != 0:
		return cfg.GoMemLimit
	case cfg.MaxMemory == 0 || cfg.MaxMemory > math.MaxInt64/4:
		return math.MaxInt64
	}
	return cfg.MaxMemory + max(int64(float64(cfg.MaxMemory)*limitShare), limitFloor)
}

// collectorPacer sets the garbage collector as the configuration says and the heap
// asks for.
type collectorPacer struct {
	config *resp.Config
	server *resp.Server
	stop   chan struct{}
	done   sync.WaitGroup

	leave      bool // GOGC of the environment holds
	percent    int  // what GOGC is set to
	limit      int64
	lastForced time.Time
	lastUsed   int64     // used memory when a cycle was last started here
	cycles     int64     // of the collector, when the surplus began
	freed      time.Time // when memory was last given back
	lastFreed  int64     // used memory when memory was last given back
	surplus    time.Time // since when there is a surplus; the zero time: there is none
}

// paceCollector begins to pace the collector; the result ends it.
func paceCollector(config *resp.Config, server *resp.Server) (end func()) {
	p := &collectorPacer{config: config, server: server, stop: make(chan struct{}), limit: math.MaxInt64}
	p.leave = os.Getenv("GOGC") != "" && config.Load().GoGC == resp.NewConfig(nil).Load().GoGC
	p.look(time.Now())
	p.done.Go(p.run)
	return func() {
		close(p.stop)
		p.done.Wait()
	}
}

func (p *collectorPacer) run() {
	ticker := time.NewTicker(gcLookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-ticker.C:
			p.look(now)
		}
	}
}

// look adapts the collector to the heap. GOGC and GOMEMLIMIT of the environment hold
// as long as the configuration says nothing else.
func (p *collectorPacer) look(now time.Time) {
	cfg := p.config.Load()
	live := liveHeap()
	gogc := gogcNow(cfg.GoGC, p.server.IsLoading())
	if percent := gcPercent(gogc, live); !p.leave && differs(percent, p.percent) {
		p.percent = percent
		debug.SetGCPercent(percent)
	}
	if limit := memoryLimit(cfg); limit != p.limit {
		p.limit = limit
		debug.SetMemoryLimit(limit)
	}
	used := p.server.MemoryUsed()
	if wantsCollection(live, used, cfg.GoGC) && used != p.lastUsed && now.Sub(p.lastForced) > gcPause {
		p.lastForced, p.lastUsed = now, used
		runtime.GC()
	}
	switch {
	case !hasSurplus(reclaimableHeap(), used):
		p.surplus = time.Time{}
	case p.surplus.IsZero() || readMetric(cyclesMetric) != p.cycles:
		p.surplus, p.cycles = now, readMetric(cyclesMetric)
	case now.Sub(p.surplus) > surplusLasts && used != p.lastFreed && now.Sub(p.freed) > surplusPause:
		p.surplus, p.lastFreed, p.freed = time.Time{}, used, now
		debug.FreeOSMemory()
	}
}

// hasSurplus reports whether a heap is much more than what is used.
func hasSurplus(heap, used int64) bool {
	return heap-used > max(surplusFloor, used*surplusPercent/100)
}

// differs reports whether GOGC has to be changed: setting it stops the world for a
// moment, and the last percents do no matter.
func differs(percent, set int) bool {
	if percent < 0 || set <= 0 {
		return percent != set
	}
	return percent < set*9/10 || percent > set*11/10
}

// wantsCollection reports whether much of what was live at the end of the last cycle
// is needed no more.
func wantsCollection(live, used, gogc int64) bool {
	return live-used > max(gcFloorBytes, live*max(gogc, 10)/100)
}

// cyclesMetric counts the cycles of the collector.
const cyclesMetric = "/gc/cycles/total:gc-cycles"

// liveHeap is what the last cycle found in use.
func liveHeap() int64 { return readMetric("/gc/heap/live:bytes") }

// reclaimableHeap is what the heap holds but for places between objects, which the
// system cannot be given: objects, of which some are garbage, and free pages.
func reclaimableHeap() int64 {
	return readMetric("/memory/classes/heap/objects:bytes") + readMetric("/memory/classes/heap/free:bytes")
}

func readMetric(name string) int64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}
