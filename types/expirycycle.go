package types

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"bitkv/engine"
)

// Active expiry. The engine keeps the keys that expire in order, per shard, so
// nothing is sampled and nothing missed: some times a second a goroutine asks
// each shard for the keys whose time has come and removes them, a bounded number
// per lock hold. A round that takes more than a quarter of its period stops, and
// the next one goes on from there.

const (
	// expireBatch is the number of keys removed under one lock.
	expireBatch = 64
	maxHz       = 500
)

// expiryWorker is the goroutine of the active expiry.
type expiryWorker struct {
	s       *Store
	hz      atomic.Int64
	off     atomic.Bool
	failing atomic.Bool // the last removal failed; it has been logged
	done    chan struct{}
	wg      sync.WaitGroup

	shard int // where the next round begins; the goroutine's own
}

// SetHz changes how many times a second expired keys are looked for (1 to 500).
func (s *Store) SetHz(hz int) { s.expiry.hz.Store(int64(min(max(hz, 1), maxHz))) }

// SetActiveExpire turns the search for expired keys on or off (DEBUG
// set-active-expire). A key met expired is removed all the same.
func (s *Store) SetActiveExpire(on bool) { s.expiry.off.Store(!on) }

// PauseExpiry stops (or lets go on) every removal of expired keys, as CLIENT
// PAUSE does. An expired key is still treated as missing.
func (s *Store) PauseExpiry(paused bool) { s.expiryPaused.Store(paused) }

func (w *expiryWorker) start(s *Store, hz int) {
	w.s = s
	w.done = make(chan struct{})
	s.SetHz(hz)
	w.wg.Go(w.run)
}

func (w *expiryWorker) stop() {
	close(w.done)
	w.wg.Wait()
}

func (w *expiryWorker) run() {
	timer := time.NewTimer(w.period())
	defer timer.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-timer.C:
		}
		if !w.off.Load() && !w.s.expiryPaused.Load() {
			w.round(time.Now().Add(w.period() / 4))
		}
		timer.Reset(w.period())
	}
}

func (w *expiryWorker) period() time.Duration {
	return time.Second / time.Duration(w.hz.Load())
}

// round goes once over all shards, or until the deadline.
func (w *expiryWorker) round(deadline time.Time) {
	s := w.s
	expiring := 0
	for db := range s.Databases() {
		keys, _ := s.eng.ExpireStats(keySpace(db))
		hashes, _ := s.eng.ExpireStats(fieldSpace(db))
		expiring += keys + hashes
	}
	if expiring == 0 {
		s.noteStale(0, 1)
		return
	}
	begin := time.Now()
	removed, seq, err := w.walk(deadline)
	if err == nil && seq != 0 {
		err = s.eng.Ack(seq) // one write, or sync, for the whole round
	}
	w.report(err)
	s.counters.cycleNanosec.Add(int64(time.Since(begin)))
	s.noteStale(removed, expiring)
}

// walk removes the expired keys of shard after shard. seq is what to acknowledge.
func (w *expiryWorker) walk(deadline time.Time) (removed int, seq uint64, err error) {
	for range w.s.eng.Shards() {
		for more := true; more; {
			n, last, err := w.s.expireShard(w.shard)
			if err != nil {
				return removed, seq, err
			}
			removed += n
			seq = max(seq, last)
			if more = n > 0; more && time.Now().After(deadline) {
				w.s.counters.capReached.Add(1)
				return removed, seq, nil
			}
		}
		w.shard = (w.shard + 1) % w.s.eng.Shards()
	}
	return removed, seq, nil
}

// report logs the first of a row of failures to remove expired keys, which stay
// and are missing to everybody. It reports whether there was an error.
func (w *expiryWorker) report(err error) bool {
	if err == nil {
		w.failing.Store(false)
		return false
	}
	if !errors.Is(err, engine.ErrClosed) && w.failing.CompareAndSwap(false, true) {
		w.s.log.Warn("expired keys cannot be removed for now", "error", err)
	}
	return true
}

// noteStale adds the share of keys found expired in a round to the average, in
// the weights of Redis.
func (s *Store) noteStale(removed, expiring int) {
	now := 100 * float64(removed) / float64(expiring)
	old := math.Float64frombits(s.counters.stalePercBits.Load())
	s.counters.stalePercBits.Store(math.Float64bits(now*0.05 + old*0.95))
}

// expireShard removes up to expireBatch keys of one shard whose time has come.
func (s *Store) expireShard(shard int) (removed int, seq uint64, err error) {
	var set ShardSet
	set.Add(shard)
	tx := s.Begin(&set, true, 0)
	due := tx.nowMs - 1 // in its last millisecond a key still lives
	if s.expiryPaused.Load() || !tx.eng.Expiring(shard, due) {
		tx.Rollback()
		return 0, 0, nil
	}
	var hashes []lateKey // of which fields expire; not to be touched during the walk
	tx.eng.Expired(shard, due, expireBatch, func(space int, key []byte, h engine.Head) bool {
		db, fields := ofSpace(space)
		if fields || hasFieldTTL(h.Tag) {
			hashes = append(hashes, lateKey{db, string(key)})
			return true
		}
		tx.removeExpired(db, key, h.Tag)
		removed++
		return true
	})
	for i := range hashes {
		n, err := tx.expireFields(hashes[i].db, []byte(hashes[i].key), expireBatch)
		if err != nil {
			tx.Rollback()
			return 0, 0, err
		}
		removed += n
	}
	if seq, err = tx.Commit(); err != nil {
		return 0, 0, err
	}
	return removed, seq, nil
}

// removeLate removes keys that a reader met expired, if they still are, and
// returns the sequence number of that; 0 if it failed, which hurts nobody: the
// keys are missing all the same.
func (s *Store) removeLate(keys []lateKey) (seq uint64) {
	var set ShardSet
	for i := range keys {
		s.AddKey(&set, []byte(keys[i].key))
	}
	tx := s.Begin(&set, true, 0)
	for i := range keys {
		if _, err := tx.expireFields(keys[i].db, []byte(keys[i].key), lateFields); err != nil {
			tx.Rollback()
			s.expiry.report(err)
			return 0
		}
	}
	seq, err := tx.Commit()
	if s.expiry.report(err) {
		return 0
	}
	return seq
}
