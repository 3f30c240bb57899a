package resp

import (
	"sync"
	"sync/atomic"
	"time"
)

// admin is what the server remembers for SLOWLOG, LATENCY, SAVE and INFO beside
// its counters.
type admin struct {
	srv *Server

	slowlog slowlog
	events  latencyEvents
	sampler sampler
	loading loadProgress

	saving     atomic.Bool  // a BGSAVE runs
	lastSave   atomic.Int64 // Unix seconds of the last completed one, or of the start
	saveTook   atomic.Int64 // seconds; -1: none yet
	saveFailed atomic.Bool  // the last one failed

	cronPaused atomic.Bool // DEBUG PAUSE-CRON
}

func newAdmin(s *Server) *admin {
	a := &admin{srv: s}
	a.lastSave.Store(time.Now().Unix())
	a.saveTook.Store(-1)
	return a
}

// tick is called ten times a second; it takes the samples behind the rates and
// peaks of INFO.
func (a *admin) tick(now time.Time) {
	if a.cronPaused.Load() {
		return
	}
	a.sampler.sample(now, a.srv)
}

// reset sets back what CONFIG RESETSTAT sets back, beside the counters.
func (a *admin) reset() { a.sampler.reset() }

// loadProgress is how far the loading of the database is.
type loadProgress struct {
	mu         sync.Mutex // guards following
	started    time.Time
	doneBytes  int64
	totalBytes int64
	keys       int64
	eta        time.Duration
}
