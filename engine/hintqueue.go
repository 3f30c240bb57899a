package engine

import (
	"slices"
	"sync"
	"time"
)

// A hint file is of use at the next Open. Most of a data file that is overwritten as
// fast as it is written is dead, and merged, a few seconds after it was sealed; to
// read all of it once more in order to write its hint file would be for nothing. So
// sealed files wait a while. Close writes the hint files that are still to be
// written, and after a crash Open reads in full the data files that have none.
const (
	// hintDelay is how long a file waits, and hintWaiting how many wait at most, if
	// most of them is live.
	hintDelay   = 10 * time.Second
	hintWaiting = 4
	// hintDeadDelay is how long a file waits if a merge is to be expected.
	hintDeadDelay = time.Minute
	// hintLook is how often is looked whether one is due.
	hintLook = time.Second
)

// hintQueue are the immutable files without a hint file that is known to be good.
type hintQueue struct {
	mu    sync.Mutex // guards following
	files []lateHint // in the order in which they came
}

// lateHint is a file that waits for its hint file. It may have been merged meanwhile.
type lateHint struct {
	file  *dataFile
	since time.Time
}

// add lets a file wait. A zero time is for one that has waited long enough.
func (q *hintQueue) add(f *dataFile, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.files = append(q.files, lateHint{f, since})
}

// takeDue takes out the files of which the hint file is to be written now. mostlyDead
// says of a file that it will be merged.
func (q *hintQueue) takeDue(now time.Time, mostlyDead func(f *dataFile) bool) (due []*dataFile) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := 0
	for _, h := range q.files {
		if !mostlyDead(h.file) {
			waiting++
		}
	}
	q.files = slices.DeleteFunc(q.files, func(h lateHint) bool {
		delay := hintDeadDelay
		if !mostlyDead(h.file) {
			delay = hintDelay
			if waiting--; waiting >= hintWaiting {
				delay = 0
			}
		}
		if now.Sub(h.since) < delay {
			return false
		}
		due = append(due, h.file)
		return true
	})
	return due
}

// takeAll takes out all files.
func (q *hintQueue) takeAll() (files []*dataFile) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.files {
		files = append(files, h.file)
	}
	q.files = nil
	return files
}

// hintLoop writes hint files that are due until the database is closed.
func (db *DB) hintLoop() {
	tick := time.NewTicker(hintLook)
	defer tick.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		due := db.hints.takeDue(time.Now(), db.mostlyDead)
		if !db.closing.Load() {
			db.makeQueuedHints(due)
			continue
		}
		for _, f := range due {
			db.hints.add(f, time.Time{}) // it is for Close now
		}
	}
}

// mostlyDead reports whether an automatic merge will want a file, now or when there is
// more that is dead.
func (db *DB) mostlyDead(f *dataFile) bool {
	c := mergeCandidate{bytes: f.total.Load(), live: f.live.Load(), tombstones: f.tombstoneBytes()}
	return db.opt.MergeDeadBytes >= 0 && float64(c.dead(false)) >= db.opt.MergeRatio*float64(c.bytes)
}

// makeQueuedHints writes the hint files of files that have waited, but not of those
// that were merged meanwhile.
func (db *DB) makeQueuedHints(files []*dataFile) {
	for _, f := range files {
		db.filesMu.Lock()
		listed := db.files.Load().get(f.number) == f
		if listed {
			f.acquire()
		}
		db.filesMu.Unlock()
		if !listed {
			continue
		}
		db.makeHint(f)
		if err := f.release(); err != nil {
			db.opt.Logger.Warn("close a data file", "file", f.name(), "error", err)
		}
	}
}
