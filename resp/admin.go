package resp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"bitkv/types"
)

// admin is what the server remembers for SLOWLOG, LATENCY, SAVE, BGREWRITEAOF
// and INFO beside its counters.
type admin struct {
	srv *Server

	slowlog slowlog
	events  latencyEvents
	sampler sampler
	loading loadProgress
	engine  atomic.Pointer[types.EngineStats] // as last asked for

	saving      atomic.Bool  // a BGSAVE runs
	saveStarted atomic.Int64 // Unix seconds; 0: none runs
	lastSave    atomic.Int64 // Unix seconds of the last completed one, or of the start
	saveTook    atomic.Int64 // seconds; -1: none yet
	saveFailed  atomic.Bool  // the last one failed
	saves       atomic.Int64

	mergeStarted  atomic.Int64 // as saveStarted, of a merge by BGREWRITEAOF
	mergeTook     atomic.Int64
	mergeFailed   atomic.Bool
	merges        atomic.Int64
	mergeFailures atomic.Int64 // in a row

	cronPaused atomic.Bool // DEBUG PAUSE-CRON
	expireOff  atomic.Bool // DEBUG SET-ACTIVE-EXPIRE 0
}

func newAdmin(s *Server) *admin {
	a := &admin{srv: s}
	a.lastSave.Store(time.Now().Unix())
	a.saveTook.Store(-1)
	a.mergeTook.Store(-1)
	return a
}

// tick is called ten times a second; it takes the samples behind the rates and
// peaks of INFO.
func (a *admin) tick(now time.Time) {
	if a.cronPaused.Load() {
		return
	}
	a.sampler.sample(now, a.srv)
	a.srv.sampleMemory()
	a.srv.evictSoon()
	a.srv.evictClients(a.srv.config.Load())
}

// reset sets back what CONFIG RESETSTAT sets back, beside the counters.
func (a *admin) reset() {
	a.sampler.reset()
	m := a.srv.memoryUsed()
	a.srv.memory.peak.Store(m.total())
	a.srv.evict.exceededNanos.Store(0)
}

// runningSeconds is how long ago something began, -1 if it does not run.
func (a *admin) runningSeconds(started *atomic.Int64) int64 {
	began := started.Load()
	if began == 0 {
		return -1
	}
	return max(time.Now().Unix()-began, 0)
}

// save forces everything to the disk, as SAVE and BGSAVE do.
func (a *admin) save(store *types.Store) error {
	began := time.Now()
	a.saveStarted.Store(began.Unix())
	defer a.saveStarted.Store(0)
	dirty := store.Stats().Dirty
	err := store.Engine().Sync()
	a.saveFailed.Store(err != nil)
	if err != nil {
		return err
	}
	store.MarkSaved(dirty)
	a.saves.Add(1)
	a.lastSave.Store(time.Now().Unix())
	a.saveTook.Store(int64(time.Since(began) / time.Second))
	return nil
}

// startSave runs save in the background. It reports false if one runs already.
func (a *admin) startSave(store *types.Store) bool {
	if !a.saving.CompareAndSwap(false, true) {
		return false
	}
	a.background(func(context.Context) {
		defer a.saving.Store(false)
		if err := a.save(store); err != nil {
			a.srv.log.Error("background saving failed", "error", err)
			return
		}
		a.srv.log.Info("background saving terminated with success")
	})
	return true
}

// startMerge merges every data file, in the background, as BGREWRITEAOF does. It
// reports false if a merge runs already.
func (a *admin) startMerge(store *types.Store) bool {
	if !a.mergeStarted.CompareAndSwap(0, time.Now().Unix()) {
		return false
	}
	a.background(func(ctx context.Context) {
		defer a.mergeStarted.Store(0)
		began := time.Now()
		err := store.Merge(ctx, 0)
		if errors.Is(err, types.ErrMergeRunning) || ctx.Err() != nil {
			return // one that began by itself does it, or the server ends
		}
		a.mergeFailed.Store(err != nil)
		if err != nil {
			a.mergeFailures.Add(1)
			a.srv.log.Error("background append only file rewriting terminated with error", "error", err)
			return
		}
		a.srv.log.Info("background append only file rewriting terminated with success")
		a.mergeFailures.Store(0)
		a.merges.Add(1)
		a.mergeTook.Store(int64(time.Since(began) / time.Second))
	})
	return true
}

// background runs fn on a goroutine that Close waits for; its context ends when
// the server closes.
func (a *admin) background(fn func(ctx context.Context)) {
	s := a.srv
	s.wg.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stopped := make(chan struct{})
		defer close(stopped)
		s.wg.Go(func() {
			select {
			case <-s.stop:
				cancel()
			case <-stopped:
			}
		})
		fn(ctx)
	})
}

// loadProgress is how far the loading of the database is.
type loadProgress struct {
	mu      sync.Mutex // guards following
	started time.Time
	last    types.Progress
}

// Loading tells the server how far the loading of its store is, for INFO and for
// the LOADING error.
func (s *Server) Loading(p types.Progress) {
	l := &s.admin.loading
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started.IsZero() {
		l.started = time.Now()
	}
	l.last = p
}

// get returns the last report and when loading began.
func (l *loadProgress) get() (types.Progress, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.started
}

// ended says how many keys of users there are: the reports count those of field
// expiries as well.
func (l *loadProgress) ended(keys int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last.Keys = keys
}

func (l *loadProgress) loadedKeys() int64 {
	p, _ := l.get()
	return p.Keys
}

// loadingText is the LOADING error, with how far the loading is.
func (s *Server) loadingText() string {
	p, _ := s.admin.loading.get()
	if p.TotalBytes <= 0 {
		return errLoading
	}
	return fmt.Sprintf("%s (%d%% done, about %d seconds left)",
		errLoading, p.DoneBytes*100/p.TotalBytes, int64(math.Ceil(p.ETA.Seconds())))
}

// infoLoading writes the fields about loading.
func (s *Server) infoLoading(t *infoText) {
	if !s.loading.Load() {
		t.int("loading", 0)
		return
	}
	p, started := s.admin.loading.get()
	if started.IsZero() {
		started = s.started
	}
	t.int("loading", 1)
	t.int("loading_start_time", started.Unix())
	t.int("loading_total_bytes", p.TotalBytes)
	t.int("loading_rdb_used_mem", 0)
	t.int("loading_loaded_bytes", p.DoneBytes)
	t.float("loading_loaded_perc", 100*ratio(p.DoneBytes, p.TotalBytes), 2)
	t.int("loading_eta_seconds", int64(p.ETA/time.Second))
}
