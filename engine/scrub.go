package engine

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// Scrub reads all immutable files once, front to back, at up to bytesPerSecond (0:
// no limit), and checks every frame and record, whether or not anybody reads
// them. Reads, writes and merges go on. What it finds is logged, counted in
// Stats.ChecksumErrors and Stats.Scrub, and returned, joined; the database goes
// on, and reads of what is damaged return a CorruptError. A file is read to the
// end only up to its first damage: `check` lists all of it.
func (db *DB) Scrub(ctx context.Context, bytesPerSecond int64) error {
	ctx, leave, err := db.merge.calls.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	files := db.acquireSealed()
	var bad []error
	rate := rateLimiter{bytesPerSecond: bytesPerSecond}
	started, before := time.Now(), db.scrub.snapshot().BytesRead
	db.opt.Logger.Debug("scrub begins", "files", len(files))
	for i, f := range files {
		err := db.scrubFile(ctx, f, &rate)
		if releaseErr := f.release(); err == nil {
			err = releaseErr
		}
		if errors.Is(err, ErrCorrupt) {
			db.scrub.found(len(bad) + 1) // a pass may take days: it does not wait for the end
			db.opt.Logger.Error("scrub found damage", "error", err)
			db.merge.markDamaged(f.number)
			bad = append(bad, db.readFailed(err))
			continue
		}
		if err != nil {
			for _, f := range files[i+1:] {
				err = errors.Join(err, f.release())
			}
			return errors.Join(append(bad, errorf("engine: scrub: %w", err))...)
		}
	}
	db.scrub.finished(len(bad))
	db.opt.Logger.Info("scrub has ended", "files", len(files), "damaged", len(bad),
		"bytes", db.scrub.snapshot().BytesRead-before, "took", time.Since(started))
	return errors.Join(bad...)
}

// acquireSealed returns the immutable files, each with a reference.
func (db *DB) acquireSealed() []*dataFile {
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	var files []*dataFile
	for _, f := range db.files.Load().all() {
		if f.sealed.Load() {
			f.acquire()
			files = append(files, f)
		}
	}
	return files
}

// scrubFile checks one file.
func (db *DB) scrubFile(ctx context.Context, f *dataFile, rate *rateLimiter) error {
	if err := f.readFooter(db.manifest.uuid); err != nil {
		return err
	}
	pending := 0
	end, reason, err := f.scanFrames(fileHeaderBytes, f.meta.dataEnd, func(fr *frame) error {
		if _, err := fr.checkRecords(); err != nil {
			return err
		}
		n := frameHeaderBytes + len(fr.payload)
		db.scrub.add(n)
		if pending += n; pending < scrubStepBytes {
			return context.Cause(ctx)
		}
		n, pending = pending, 0
		return rate.wait(ctx, n)
	})
	if err == nil && (reason != "" || end != f.meta.dataEnd) {
		err = &CorruptError{File: f.name(), Offset: end, Reason: cmp.Or(reason, "the data ends early")}
	}
	return err
}

// scrubStepBytes is how much is read between two looks at the rate.
const scrubStepBytes = 256 << 10

// ScrubStats is what scrubs did since Open.
type ScrubStats struct {
	// Scrubs is how many went through all files, BytesRead what they read, and
	// DamagedFiles what the last one found, or the one that runs if that is more.
	Scrubs, BytesRead int64
	DamagedFiles      int
	// LastEnd is when the last one ended.
	LastEnd time.Time
}

// scrubState is what a DB keeps for scrubs.
type scrubState struct {
	mu    sync.Mutex // guards following
	stats ScrubStats
}

func (s *scrubState) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.BytesRead += int64(n)
}

// found is called when a scrub that still runs found so many damaged files.
func (s *scrubState) found(damaged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.DamagedFiles = max(s.stats.DamagedFiles, damaged)
}

func (s *scrubState) finished(damaged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Scrubs++
	s.stats.DamagedFiles = damaged
	s.stats.LastEnd = time.Now()
}

func (s *scrubState) snapshot() ScrubStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// scrubLoop scrubs in the background, one pass each ScrubInterval, until the
// database is closed.
func (db *DB) scrubLoop() {
	if db.opt.ScrubInterval <= 0 {
		return
	}
	timer := time.NewTimer(db.opt.ScrubInterval)
	defer timer.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-timer.C:
		}
		// Damage was logged where it was found.
		err := db.Scrub(context.Background(), scrubRateBytes)
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrClosed) {
			db.opt.Logger.Warn("scrub failed", "error", err)
		}
		timer.Reset(db.opt.ScrubInterval)
	}
}

// scrubRateBytes is how much a second the background scrub reads: a terabyte in
// three days, and little beside what a disk can do.
const scrubRateBytes = 4 << 20
