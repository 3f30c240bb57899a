package resp

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryBindings are the subcommands of MEMORY. What is used is
// counted (memory.go); what there is besides is Go's, and told under the names of
// Redis that say the same of its allocator.
var memoryBindings = map[string]binding{
	"memory|usage":        {run: cmdMemoryUsage},
	"memory|stats":        {run: cmdMemoryStats},
	"memory|doctor":       {run: cmdMemoryDoctor},
	"memory|purge":        {run: cmdMemoryPurge},
	"memory|malloc-stats": {run: cmdMemoryMallocStats},
	"memory|help":         {run: cmdMemoryHelp},
}

// defaultMemorySamples is how many elements of a collection MEMORY USAGE looks at.
const defaultMemorySamples = 5

func cmdMemoryUsage(c *client, args [][]byte) {
	samples := defaultMemorySamples
	for i := 3; i < len(args); i += 2 {
		if !isWord(args[i], "SAMPLES") || i+1 == len(args) {
			c.err(errSyntax)
			return
		}
		n, ok := parseInt(args[i+1])
		switch {
		case !ok:
			c.err(errNotInt)
			return
		case n < 0:
			c.err(errSyntax)
			return
		}
		samples = int(n)
	}
	n, ok := c.tx.Keyspace().MemoryUsage(args[2], samples)
	if !ok {
		c.null()
		return
	}
	c.int(n)
}

func cmdMemoryStats(c *client, _ [][]byte) {
	s := c.srv
	u, m := s.sampleMemory(), readMemory()
	used, peak, start := u.total(), s.memory.peak.Load(), s.memory.start.Load()
	rss, rssFile := residentBytes()
	anonymous := rss - rssFile
	keys := int64(0)
	if store := s.loadedStore(); store != nil {
		for db := range store.Databases() {
			keys += int64(store.Size(db))
		}
	}
	perKey := int64(0)
	if keys > 0 {
		perKey = u.dataset() / keys
	}
	type stat struct {
		name  string
		value any // int64 or float64
	}
	stats := []stat{
		{"peak.allocated", peak},
		{"total.allocated", used},
		{"startup.allocated", start},
		{"replication.backlog", int64(0)},
		{"clients.slaves", int64(0)},
		{"clients.normal", u.clients},
		{"cluster.links", int64(0)},
		{"aof.buffer", u.data.Tail},
		{"lua.caches", int64(0)},
		{"functions.caches", int64(0)},
		{"overhead.total", u.overhead()},
		{"db.dict.rehashing.count", int64(0)},
		{"keys.count", keys},
		{"keys.bytes-per-key", perKey},
		{"dataset.bytes", u.dataset()},
		{"dataset.keys", u.data.Keys},
		{"dataset.keys.free", u.data.Holes},
		{"dataset.collections", u.data.Collections},
		{"dataset.expiry", u.data.Expiry},
		{"dataset.cache", u.data.Cache},
		{"dataset.percentage", 100 * ratio(u.dataset(), max(used-start, u.dataset()))},
		{"peak.percentage", 100 * ratio(used, peak)},
		{"allocator.allocated", m.objects},
		{"allocator.active", m.objects + m.unused},
		{"allocator.resident", m.resident()},
		{"allocator-fragmentation.ratio", ratio(m.objects+m.unused, m.objects)},
		{"allocator-fragmentation.bytes", m.unused},
		{"allocator-rss.ratio", ratio(m.resident(), m.objects+m.unused)},
		{"allocator-rss.bytes", m.resident() - m.objects - m.unused},
		{"rss-overhead.ratio", ratio(anonymous, m.resident())},
		{"rss-overhead.bytes", anonymous - m.resident()},
		{"fragmentation", ratio(anonymous, used)},
		{"fragmentation.bytes", anonymous - used},
	}
	c.mapHeader(len(stats))
	for _, st := range stats {
		c.bulkString(st.name)
		switch v := st.value.(type) {
		case int64:
			c.int(v)
		case float64:
			c.double(v)
		}
	}
}

// cmdMemoryDoctor says what is odd about the memory, if anything is: else in Redis's words,
// as LATENCY DOCTOR does.
func cmdMemoryDoctor(c *client, _ [][]byte) {
	u := c.srv.sampleMemory()
	rss, rssFile := residentBytes()
	anonymous := rss - rssFile
	used, peak := u.total(), c.srv.memory.peak.Load()
	if used < 5<<20 {
		c.verbatim("txt", "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used "+
			"in these conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will "+
			"be back to our programming as soon as I finished rebooting.\n")
		return
	}
	var b strings.Builder
	if ratio(peak, used) > 1.5 {
		fmt.Fprintf(&b, "* Peak: %s were in use at the most, %s are now. Memory is given back to the system "+
			"gradually; MEMORY PURGE does it at once.\n", humanBytes(peak), humanBytes(used))
	}
	if ratio(anonymous, used) > 2 && anonymous-used > 64<<20 {
		fmt.Fprintf(&b, "* Slack: %s are resident for %s in use. The garbage collector works with that slack; "+
			"a lower gogc, or go-memlimit, makes it smaller.\n", humanBytes(anonymous), humanBytes(used))
	}
	if free := u.data.Holes; free > used/2 && free > 64<<20 {
		fmt.Fprintf(&b, "* Holes: %s of the keydir is room that deleted keys left. New keys use it; a restart "+
			"gives it back.\n", humanBytes(free))
	}
	if clients := u.clients; clients > 100<<20 {
		fmt.Fprintf(&b, "* Clients: their buffers hold %s. CLIENT LIST shows which; "+
			"client-output-buffer-limit and client-query-buffer-limit bound them.\n", humanBytes(clients))
	}
	if b.Len() == 0 {
		c.verbatim("txt", "Hi Sam, I can't find any memory issue in your instance. "+
			"I can only account for what occurs on this base.\n")
		return
	}
	c.verbatim("txt", "These are odd about the memory of this instance:\n\n"+b.String())
}

func cmdMemoryPurge(c *client, _ [][]byte) {
	debug.FreeOSMemory()
	c.ok()
}

func cmdMemoryMallocStats(c *client, _ [][]byte) {
	m := readMemory()
	var b strings.Builder
	fmt.Fprintf(&b, "Allocator: %s\n", runtime.Version())
	for _, line := range []struct {
		name string
		n    int64
	}{
		{"heap objects", m.objects},
		{"heap unused", m.unused},
		{"heap free", m.free},
		{"heap released", m.released},
		{"stacks", m.stacks},
		{"runtime", m.other},
		{"total", m.total},
	} {
		fmt.Fprintf(&b, "%-14s %12d bytes\n", line.name, line.n)
	}
	limit := "none"
	if n := debug.SetMemoryLimit(-1); n != math.MaxInt64 {
		limit = strconv.FormatInt(n, 10)
	}
	fmt.Fprintf(&b, "memory limit   %12s\n", limit)
	fmt.Fprintf(&b, "gc cycles      %12d\n", m.gcCycles)
	fmt.Fprintf(&b, "goroutines     %12d\n", runtime.NumGoroutine())
	c.verbatim("txt", b.String())
}

func cmdMemoryHelp(c *client, _ [][]byte) {
	c.help("MEMORY",
		"DOCTOR",
		"    Return memory problems reports.",
		"MALLOC-STATS",
		"    Return internal statistics report from the memory allocator.",
		"PURGE",
		"    Attempt to purge dirty pages for reclamation by the allocator.",
		"STATS",
		"    Return information about the memory usage of the server.",
		"USAGE <key> [SAMPLES <count>]",
		"    Return memory in bytes used by <key> and its value. Nested values are",
		"    sampled up to <count> times (default: 5, 0 means sample all).",
	)
}
