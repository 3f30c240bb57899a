package resp

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stats are the counters of a server. Everything is atomic or under mu.
type stats struct {
	connections      atomic.Int64 // accepted
	rejectedConns    atomic.Int64 // refused by maxclients
	commands         atomic.Int64
	netIn, netOut    atomic.Int64 // bytes
	errorReplies     atomic.Int64
	evictedClients   atomic.Int64
	queryLimitKills  atomic.Int64 // closed by client-query-buffer-limit
	outputLimitKills atomic.Int64 // closed by client-output-buffer-limit
	authFailures     atomic.Int64
	blocked          atomic.Int64 // clients parked now
	watchers         atomic.Int64 // clients that watch keys now
	keysWatched      atomic.Int64
	reads, writes    atomic.Int64 // system calls
	unexpectedErrors atomic.Int64 // panics that cost one client its connection

	perCommand []commandStats // by command.id

	mu     sync.Mutex // guards following
	errors map[string]*atomic.Int64
}

// commandStats are the counters of one row of the table.
type commandStats struct {
	calls    atomic.Int64
	usec     atomic.Int64
	rejected atomic.Int64 // refused before it ran
	failed   atomic.Int64 // ran and replied with an error
	latency  atomic.Pointer[histogram]
}

// maxErrorCodes bounds how many error codes are counted one by one: they are
// chosen by us, but for those that scripts make up.
const maxErrorCodes = 128

// countError counts an error reply by its code, the first word of its text.
func (s *stats) countError(text string) {
	s.errorReplies.Add(1)
	code, _, _ := strings.Cut(text, " ")
	s.mu.Lock()
	n := s.errors[code]
	if n == nil && len(s.errors) < maxErrorCodes {
		n = new(atomic.Int64)
		s.errors[code] = n
	}
	s.mu.Unlock()
	if n != nil {
		n.Add(1)
	}
}

// latencyOf returns the histogram of a row, made if it is the first time.
func (s *commandStats) latencyOf() *histogram {
	if h := s.latency.Load(); h != nil {
		return h
	}
	s.latency.CompareAndSwap(nil, new(histogram))
	return s.latency.Load()
}

// reset sets back what CONFIG RESETSTAT sets back.
func (s *stats) reset() {
	for _, n := range []*atomic.Int64{
		&s.connections, &s.rejectedConns, &s.commands, &s.netIn, &s.netOut, &s.errorReplies,
		&s.evictedClients, &s.queryLimitKills, &s.outputLimitKills, &s.authFailures,
		&s.reads, &s.writes, &s.unexpectedErrors,
	} {
		n.Store(0)
	}
	for i := range s.perCommand {
		p := &s.perCommand[i]
		p.calls.Store(0)
		p.usec.Store(0)
		p.rejected.Store(0)
		p.failed.Store(0)
		p.latency.Store(nil)
	}
	s.mu.Lock()
	clear(s.errors)
	s.mu.Unlock()
}

// accounting gathers the counts of commands that are alike, so that a pipeline, or
// an event loop, does not touch the shared counters at every command. Whoever
// sends replies flushes it first: what was answered has been counted.
type accounting struct {
	cmd    *command
	calls  int64
	took   time.Duration
	carry  time.Duration // less than a microsecond, of earlier calls
	counts [4]bucketCount
	used   int // of counts
}

// bucketCount is what a bucket of the histogram of accounting.cmd gets.
type bucketCount struct {
	bucket int
	calls  int64
}

// add counts a call; track says whether its latency is, too.
func (a *accounting) add(s *Server, cmd *command, took time.Duration, track bool) {
	if a.cmd != cmd {
		a.flush(s)
		a.cmd = cmd
	}
	a.calls++
	a.took += took
	if !track {
		return
	}
	bucket := bucketOf(took)
	for i := range a.counts[:a.used] {
		if a.counts[i].bucket == bucket {
			a.counts[i].calls++
			return
		}
	}
	if a.used == len(a.counts) {
		a.flushBuckets(s)
	}
	a.counts[a.used] = bucketCount{bucket, 1}
	a.used++
}

// flush adds what was gathered to the shared counters.
func (a *accounting) flush(s *Server) {
	if a.calls == 0 {
		return
	}
	p := &s.stats.perCommand[a.cmd.id]
	total := a.took + a.carry
	p.calls.Add(a.calls)
	p.usec.Add(total.Microseconds())
	a.flushBuckets(s)
	s.stats.commands.Add(a.calls)
	a.carry = total % time.Microsecond
	a.calls, a.took = 0, 0
}

func (a *accounting) flushBuckets(s *Server) {
	if a.used == 0 {
		return
	}
	h := s.stats.perCommand[a.cmd.id].latencyOf()
	for _, n := range a.counts[:a.used] {
		h.counts[n.bucket].Add(n.calls)
	}
	a.used = 0
}
