package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Merge gives back the space of dead records: it copies the live records of
// some immutable files into new ones and takes the old ones out of the list.
// Nothing stops meanwhile. As in the Bitcask paper, but for three things.
//
// A copied record keeps its sequence number, and the highest one wins at load.
// So it does not matter that a merged file has a higher number than the log
// files written while it was made, nor that a record is in two files.
//
// The steps are such that a failure or a crash between any two leaves a whole
// database, and nothing to be undone:
//
//  1. Copy. The new files are sealed and synced. Nothing refers to them: until
//     here, giving up means removing them.
//  2. List. An edit of the MANIFEST adds the new files, beside the old ones.
//  3. Move. Each entry that still refers to an old file is made to refer to the
//     copy. One that was written meanwhile is not: its copy is dead.
//  4. Sync the log. A record was left out because of a newer one, and if a power
//     cut took the newer one, the older one would be the value again.
//  5. Commit. One edit of the MANIFEST takes the old files out of the list. They
//     are unlinked when the last reader is done with them. After a crash between
//     2 and 5 both are there; the next merge finds the old ones, or the copies,
//     without a live record.
//
// A tombstone with sequence number s is dropped only if every file outside of
// the merge holds nothing below s, or else a put that it hides would come back;
// or if its key lives again, or its keyspace or its collection is gone.

// mergeState is what a DB keeps for merges.
type mergeState struct {
	calls   callGate
	reserve mergeReserve
	kick    chan struct{} // asks mergeLoop to look
	heat    mergeHeat

	running sync.Mutex // held by the one merge that runs
	// limbo are new files of which it is not known whether the MANIFEST on the
	// disk lists them, because the edit failed. Guarded by running.
	limbo []*dataFile

	// commitMu is held while a merge takes files out of the list, and while a
	// backup chooses its files: see Backup. Before DB.filesMu.
	commitMu sync.Mutex

	mu      sync.Mutex // guards following
	stats   MergeStats
	retired []*dataFile     // left the list; some are still referred to
	damaged map[uint32]bool // files that a merge could not read
	// step, when not nil, is called by tests between the steps of a merge.
	step func(mergeStep)
}

// mergeStep names a moment in a merge: the step of that name is done.
type mergeStep string

const (
	stepPiece     mergeStep = "piece" // findLive has seen a piece of a table or a collection, and there is more
	stepCopied    mergeStep = "copied"
	stepListed    mergeStep = "listed"
	stepMoved     mergeStep = "moved"
	stepCommitted mergeStep = "committed"
)

// MergeStats is what merges did since Open, and what one does now.
type MergeStats struct {
	// Running is true during a merge, of which DoneBytes of TotalBytes of input
	// have been read.
	Running               bool
	DoneBytes, TotalBytes int64
	// Merges is how many were completed, Failures how many were not.
	Merges, Failures int64
	// ReclaimedBytes is by how much they made the data files smaller.
	ReclaimedBytes int64
	// LastError is why the last one failed, or empty.
	LastError string
	// PinnedBytes is the size of files that were merged away but are still on
	// the disk because a reader, an iterator or a backup uses them.
	PinnedBytes int64
}

// callGate counts calls that Close has to wait for, and cancels them.
type callGate struct {
	mu     sync.Mutex // guards following
	closed bool
	cancel map[*context.CancelCauseFunc]bool
	calls  sync.WaitGroup
}

// enter returns a context that ends when the database is closed, too. Without an
// error, the call has to end by calling leave.
func (g *callGate) enter(parent context.Context) (ctx context.Context, leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(parent)
	if g.cancel == nil {
		g.cancel = map[*context.CancelCauseFunc]bool{}
	}
	g.cancel[&cancel] = true
	g.calls.Add(1)
	return ctx, func() {
		cancel(nil)
		g.mu.Lock()
		delete(g.cancel, &cancel)
		g.mu.Unlock()
		g.calls.Done()
	}, nil
}

// close cancels the calls, waits for them and lets no new ones in.
func (g *callGate) close() {
	g.mu.Lock()
	g.closed = true
	for cancel := range g.cancel {
		(*cancel)(ErrClosed)
	}
	g.mu.Unlock()
	g.calls.Wait()
}

// Merge rewrites immutable files whose share of dead bytes is at least ratio
// (0: all of them) and gives their space back. Reads and writes go on
// meanwhile. It returns ErrMergeRunning if one is running.
func (db *DB) Merge(ctx context.Context, ratio float64) error {
	if ratio < 0 || ratio > 1 {
		return fmt.Errorf("engine: merge ratio %v is not within [0, 1]", ratio)
	}
	ctx, leave, err := db.merge.calls.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if !db.merge.running.TryLock() {
		return ErrMergeRunning
	}
	defer db.merge.running.Unlock()
	// On a full disk there is no next data file, and merging what is immutable
	// already is the way out.
	sealErr := db.rotateAndSeal()
	if sealErr != nil && !errors.Is(sealErr, ErrNoSpace) {
		return errorf("engine: merge: %w", sealErr)
	}
	none := false
	err = db.mergeFiles(ctx, func() mergeChoice {
		choice := db.chooseFiles(ratio)
		none = len(choice.files) == 0
		return choice
	})
	if none && err == nil && sealErr != nil {
		return errorf("engine: merge: %w", sealErr)
	}
	return err
}

// mergeLook is how often the background looks whether a merge is due, if nothing that
// makes one so happens meanwhile, and mergeBackoff the longest time it waits after
// merges that failed; fullBackoff, if the disk is full, where what is deleted in the next
// moment may be what was missing.
const (
	mergeLook    = time.Second
	mergeBackoff = time.Minute
	fullBackoff  = 2 * time.Second
)

// mergeLoop merges when there is enough garbage, until the database is closed.
func (db *DB) mergeLoop() {
	db.keepReserve()
	if db.opt.MergeDeadBytes < 0 {
		return
	}
	wait := mergeLook
	var said time.Time // when the log was last told that merges fail
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		kick := db.merge.kick
		if wait > mergeLook {
			kick = nil
		}
		select {
		case <-db.stop:
			return
		case <-timer.C:
		case <-kick:
		}
		if err := db.mergeIfDue(); err == nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrMergeRunning) {
			wait = mergeLook
		} else {
			before := wait
			wait = min(2*wait, mergeBackoff)
			if db.isTight() {
				wait = min(wait, fullBackoff)
			}
			if now := time.Now(); wait > before || now.Sub(said) >= mergeBackoff {
				said = now
				db.opt.Logger.Warn("merge failed", "error", err, "retry", wait)
			}
		}
		timer.Reset(wait)
	}
}

// wake has mergeLoop look at once: a file was sealed, or what was dropped as a whole
// is counted as dead.
func (s *mergeState) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (db *DB) mergeIfDue() error {
	if err := db.sealForMerge(); err != nil {
		return err
	}
	if !db.mergeDue() {
		return nil
	}
	ctx, leave, err := db.merge.calls.enter(context.Background())
	if err != nil {
		return err
	}
	defer leave()
	if !db.merge.running.TryLock() {
		return ErrMergeRunning
	}
	defer db.merge.running.Unlock()
	return db.mergeFiles(ctx, db.chooseDue)
}

// mergeFiles merges the files that choose returns, in as many groups as the
// free space asks for, or in small ones. REQUIRES: merge.running is held.
func (db *DB) mergeFiles(ctx context.Context, choose func() mergeChoice) error {
	if err := db.clearLimbo(); err != nil {
		return errorf("engine: merge: %w", err)
	}
	choice := choose()
	todo := choice.files
	if len(todo) == 0 {
		return nil
	}
	if err := db.roomForEdit(); err != nil {
		return errorf("engine: merge: %w", err)
	}
	m := &merger{db: db, ctx: ctx, started: time.Now(), apart: choice.apart}
	m.rate.bytesPerSecond = db.opt.MergeRateBytes
	for _, f := range todo {
		m.total += f.meta.dataEnd
	}
	m.progress.begin("merge", m.total, db.opt.Progress)
	m.report()
	err := m.runGroups(todo)
	db.fillHints()
	db.keepReserve()
	db.merge.finished(err, m.reclaimed)
	if err != nil {
		return errorf("engine: merge: %w", err)
	}
	db.opt.Logger.Info("merge finished", "files", len(todo), "reclaimed_bytes", m.reclaimed,
		"took", time.Since(m.started))
	return nil
}

// clearLimbo removes the files that a failed merge left in doubt: an edit that
// succeeds makes the MANIFEST say what this process believes. REQUIRES:
// merge.running is held.
func (db *DB) clearLimbo() error {
	if len(db.merge.limbo) == 0 {
		return nil
	}
	db.filesMu.Lock()
	err := db.changeFilesLocked(&manifestEdit{}, nil, nil)
	db.filesMu.Unlock()
	if err != nil {
		return err
	}
	discard(db.merge.limbo, db.opt.Logger)
	db.merge.limbo = nil
	return nil
}

// discard removes new files that nothing refers to.
func discard(files []*dataFile, logger *slog.Logger) {
	for _, f := range files {
		f.removed.Store(true)
		if err := f.release(); err != nil {
			// It is not in the list: the next Open removes what is left of it.
			logger.Warn("remove the file of a merge", "file", f.name(), "error", err)
		}
	}
}

// close ends a running merge or backup and closes what is left of failed ones.
// Merges and backups that are called later get ErrClosed.
func (s *mergeState) close() error {
	s.calls.close()
	s.running.Lock()
	defer s.running.Unlock()
	var errs []error
	for _, f := range s.limbo {
		errs = append(errs, f.release())
	}
	s.limbo = nil
	return errors.Join(errs...)
}

// finished notes how a merge ended.
func (s *mergeState) finished(err error, reclaimed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Running, s.stats.DoneBytes, s.stats.TotalBytes = false, 0, 0
	s.stats.ReclaimedBytes += reclaimed
	if err != nil {
		s.stats.Failures++
		s.stats.LastError = err.Error()
		return
	}
	s.stats.Merges++
	s.stats.LastError = ""
}

// progress notes how far a merge is.
func (s *mergeState) progress(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Running, s.stats.DoneBytes, s.stats.TotalBytes = true, done, total
}

// retire notes files that left the list.
func (s *mergeState) retire(files []*dataFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = append(s.retired, files...)
}

// snapshot returns the statistics.
func (s *mergeState) snapshot() MergeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = slices.DeleteFunc(s.retired, func(f *dataFile) bool { return f.refs.Load() <= 0 })
	stats := s.stats
	for _, f := range s.retired {
		stats.PinnedBytes += f.meta.size
	}
	return stats
}

// markDamaged takes a file out of automatic merges.
func (s *mergeState) markDamaged(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged == nil {
		s.damaged = map[uint32]bool{}
	}
	s.damaged[number] = true
}

func (s *mergeState) isDamaged(number uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[number]
}

// at calls the tests' hook.
func (s *mergeState) at(step mergeStep) {
	s.mu.Lock()
	hook := s.step
	s.mu.Unlock()
	if hook != nil {
		hook(step)
	}
}
