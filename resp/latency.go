package resp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The latency monitor keeps, for each kind of event that took at least
// latency-monitor-threshold, the last latencySamples seconds in which there was
// one, each with its worst.
const latencySamples = 160

// maxLatencyEvents bounds the kinds of events; they are named by this server.
const maxLatencyEvents = 64

// latencyEvents is the latency monitor. Safe for concurrent use.
type latencyEvents struct {
	mu     sync.Mutex // guards following
	byName map[string]*latencySeries
}

// latencySeries is the samples of one kind of event, oldest first.
type latencySeries struct {
	samples []latencySample
	worstMs int64 // since the last reset
}

// latencySample is the worst event of one second.
type latencySample struct {
	unix int64
	ms   int64
}

// latency is told about every event ("command", "fast-command", ...) that took
// at least latency-monitor-threshold.
func (a *admin) latency(event string, took time.Duration) {
	a.events.add(event, time.Now().Unix(), took.Milliseconds())
}

func (l *latencyEvents) add(event string, unix, ms int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName == nil {
		l.byName = make(map[string]*latencySeries)
	}
	s := l.byName[event]
	if s == nil {
		if len(l.byName) >= maxLatencyEvents {
			return
		}
		s = new(latencySeries)
		l.byName[event] = s
	}
	s.worstMs = max(s.worstMs, ms)
	if n := len(s.samples); n > 0 && s.samples[n-1].unix == unix {
		s.samples[n-1].ms = max(s.samples[n-1].ms, ms)
		return
	}
	if len(s.samples) == latencySamples {
		s.samples = slices.Delete(s.samples, 0, 1)
	}
	s.samples = append(s.samples, latencySample{unix, ms})
}

// get returns a copy of the series of an event.
func (l *latencyEvents) get(event string) (latencySeries, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byName[event]
	if s == nil {
		return latencySeries{}, false
	}
	return latencySeries{slices.Clone(s.samples), s.worstMs}, true
}

// names returns the kinds of events seen, sorted.
func (l *latencyEvents) names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.byName))
}

// reset forgets the named events, or all, and returns how many there were.
func (l *latencyEvents) reset(names []string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if names == nil {
		n := len(l.byName)
		clear(l.byName)
		return n
	}
	n := 0
	for _, name := range names {
		if l.byName[name] != nil {
			delete(l.byName, name)
			n++
		}
	}
	return n
}

// latencyBindings are the subcommands of LATENCY.
var latencyBindings = map[string]binding{
	"latency|latest":    {run: cmdLatencyLatest},
	"latency|history":   {run: cmdLatencyHistory},
	"latency|reset":     {run: cmdLatencyReset},
	"latency|graph":     {run: cmdLatencyGraph},
	"latency|doctor":    {run: cmdLatencyDoctor},
	"latency|histogram": {run: cmdLatencyHistogram},
	"latency|help":      {run: cmdLatencyHelp},
}

func cmdLatencyLatest(c *client, _ [][]byte) {
	events := &c.srv.admin.events
	names := events.names()
	c.array(len(names))
	for _, name := range names {
		// Events that another client resets meanwhile are shown empty.
		s, _ := events.get(name)
		var last latencySample
		if n := len(s.samples); n > 0 {
			last = s.samples[n-1]
		}
		c.array(4)
		c.bulkString(name)
		c.int(last.unix)
		c.int(last.ms)
		c.int(s.worstMs)
	}
}

func cmdLatencyHistory(c *client, args [][]byte) {
	s, _ := c.srv.admin.events.get(string(args[2]))
	c.array(len(s.samples))
	for _, sample := range s.samples {
		c.array(2)
		c.int(sample.unix)
		c.int(sample.ms)
	}
}

func cmdLatencyReset(c *client, args [][]byte) {
	var names []string
	for _, arg := range args[2:] {
		names = append(names, string(arg))
	}
	c.int(int64(c.srv.admin.events.reset(names)))
}

func cmdLatencyGraph(c *client, args [][]byte) {
	name := string(args[2])
	s, ok := c.srv.admin.events.get(name)
	if !ok {
		c.err(errNoSamples(args[2]))
		return
	}
	c.verbatim("txt", latencyGraph(name, s, time.Now().Unix()))
}

// latencyGraph draws the samples of an event as columns of characters, with how
// long ago each was written from top to bottom under it.
func latencyGraph(name string, s latencySeries, now int64) string {
	const columns, rows = 80, 4
	samples := s.samples[max(len(s.samples)-columns, 0):]
	low, high := samples[0].ms, samples[0].ms
	for _, p := range samples {
		low, high = min(low, p.ms), max(high, p.ms)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", name, high, low, s.worstMs)
	b.WriteString(strings.Repeat("-", columns))
	b.WriteByte('\n')
	// Each row has two steps, drawn as _ and #; a column goes on below its top as |.
	const steps = rows * 2
	for row := rows - 1; row >= 0; row-- {
		for _, p := range samples {
			height := int64(0)
			if high > low {
				height = (p.ms - low) * (steps - 1) / (high - low)
			}
			switch top := height / 2; {
			case top > int64(row):
				b.WriteByte('|')
			case top == int64(row):
				b.WriteByte("_#"[height%2])
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(strings.Repeat(" ", len(samples)))
	b.WriteByte('\n')
	writeColumns(&b, samples, now)
	return b.String()
}

// writeColumns writes the age of each sample downwards: "12m" takes three lines.
func writeColumns(b *strings.Builder, samples []latencySample, now int64) {
	labels := make([]string, len(samples))
	longest := 0
	for i, p := range samples {
		labels[i] = shortAge(now - p.unix)
		longest = max(longest, len(labels[i]))
	}
	for line := range longest {
		for _, label := range labels {
			if line < len(label) {
				b.WriteByte(label[line])
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
}

// shortAge writes seconds in the largest unit that fits.
func shortAge(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

func cmdLatencyDoctor(c *client, _ [][]byte) {
	c.verbatim("txt", c.srv.admin.latencyReport())
}

// latencyReport is LATENCY DOCTOR: what was observed, and what to look at. Without any of
// that it has Redis's words, which tools look for; the advice is about this server.
func (a *admin) latencyReport() string {
	names := a.events.names()
	if len(names) == 0 {
		if a.srv.config.Load().LatencyThresholdMs == 0 {
			return "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. " +
				"You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. " +
				"If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
		}
		return "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. " +
			"I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
	}
	var b strings.Builder
	b.WriteString("Latency spikes were observed:\n\n")
	for i, name := range names {
		s, ok := a.events.get(name)
		if !ok {
			continue
		}
		var sum, deviation int64
		for _, p := range s.samples {
			sum += p.ms
		}
		n := int64(len(s.samples))
		average := sum / n
		for _, p := range s.samples {
			deviation += max(p.ms-average, average-p.ms)
		}
		span := s.samples[n-1].unix - s.samples[0].unix
		fmt.Fprintf(&b, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec). "+
			"Worst all time event %dms.\n", i+1, name, n, average, deviation/n, float64(span)/float64(n), s.worstMs)
	}
	b.WriteString("\nWhere to look:\n\n")
	b.WriteString("- SLOWLOG GET lists the commands that took longest.\n")
	b.WriteString("- INFO bitkv says whether a merge runs and how far the disk lags behind.\n")
	b.WriteString("- With appendfsync always every write waits for the disk; everysec does not.\n")
	return b.String()
}

func cmdLatencyHistogram(c *client, args [][]byte) {
	rows := c.srv.table.rows
	if len(args) > 2 {
		rows = nil
		for _, arg := range args[2:] {
			rows = append(rows, c.srv.table.named(arg)...)
		}
	}
	var used []*command
	for _, cmd := range rows {
		if c.srv.stats.perCommand[cmd.id].latency.Load() != nil && !slices.Contains(used, cmd) {
			used = append(used, cmd)
		}
	}
	c.mapHeader(len(used))
	for _, cmd := range used {
		h := c.srv.stats.perCommand[cmd.id].latency.Load()
		c.bulkString(cmd.name)
		if h == nil { // reset meanwhile
			h = new(histogram)
		}
		c.histogram(h)
	}
}

// named returns the rows that a name stands for: itself ("get", "client|list")
// or, for a container, its subcommands.
func (t *commandTable) named(name []byte) []*command {
	container, sub, isSub := strings.Cut(strings.ToLower(string(name)), "|")
	cmd := t.byName[container]
	switch {
	case cmd == nil:
		return nil
	case isSub && cmd.subs[sub] != nil:
		return []*command{cmd.subs[sub]}
	case isSub:
		return nil
	case cmd.subs == nil:
		return []*command{cmd}
	}
	var rows []*command
	for _, s := range slices.Sorted(maps.Keys(cmd.subs)) {
		rows = append(rows, cmd.subs[s])
	}
	return rows
}

// histogram appends a histogram as LATENCY HISTOGRAM does: how many commands
// took at most so many microseconds, in steps of powers of two.
func (c *client) histogram(h *histogram) {
	counts, total := h.snapshot()
	type step struct{ usec, below int64 }
	var steps []step
	limit, below := int64(1024), int64(0)
	for i, n := range counts {
		for int64(bucketLimit(i)) > limit {
			limit *= 2
		}
		if n == 0 {
			continue
		}
		below += n
		// Redis names a step by the last value its own histogram cannot tell
		// from the limit: 1/128 above it.
		usec := (limit + limit/128 - 1) / 1000
		if k := len(steps); k > 0 && steps[k-1].usec == usec {
			steps[k-1].below = below
			continue
		}
		steps = append(steps, step{usec, below})
	}
	c.mapHeader(2)
	c.bulkString("calls")
	c.int(total)
	c.bulkString("histogram_usec")
	c.mapHeader(len(steps))
	for _, s := range steps {
		c.int(s.usec)
		c.int(s.below)
	}
}

func cmdLatencyHelp(c *client, _ [][]byte) {
	c.help("LATENCY",
		"DOCTOR",
		"    Return a human readable latency analysis report.",
		"GRAPH <event>",
		"    Return an ASCII latency graph for the <event> class.",
		"HISTORY <event>",
		"    Return time-latency samples for the <event> class.",
		"LATEST",
		"    Return the latest latency samples for all events.",
		"RESET [<event> ...]",
		"    Reset latency data of one or more <event> classes.",
		"    (default: reset all data for all event classes)",
		"HISTOGRAM [COMMAND ...]",
		"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
		"    If no commands are specified then all histograms are replied.",
	)
}
