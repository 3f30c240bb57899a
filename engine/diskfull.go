package engine

import (
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// A full disk is known from what it refuses: that a write found no room is noted, and
// until there is room for as much, which is tried twice a second, the disk counts as
// full. From then on, until plenty is free, merges begin with as little garbage as at
// the limit on disk use, and the active file, which could not be merged, is sealed if it
// is of some size. So what is deleted gives its room back: its records are in sealed
// files, its tombstones in the new active file, and a file to which nothing refers needs
// no room to be given up.
//
// The few kilobytes that such a step needs itself, and the room for deletes in the new
// active file, are cut off RESERVE or, without one, off the room of the old file.

// fullState is what is known of a disk that is full.
type fullState struct {
	mu     sync.Mutex // guards following
	full   bool
	tight  bool  // it was full, and there is not plenty of room since
	wants  int64 // what a write was refused for, the most of them
	said   bool  // the log says that it is full
	saidMs int64 // since when; 0: never
}

// noteFull notes that there was no room for n bytes.
func (db *DB) noteFull(n int64, cause error) {
	d := &db.full
	d.mu.Lock()
	defer d.mu.Unlock()
	// One refused value that is huge says little about all others.
	d.wants = max(d.wants, min(n, db.log.reserve()))
	if d.full {
		return
	}
	d.full, d.tight = true, true
	db.merge.wake()
	now := db.opt.NowMs()
	if since := now - d.saidMs; d.saidMs != 0 && 0 <= since && since < diskSayMs {
		return // it goes back and forth
	}
	d.said, d.saidMs = true, now
	db.opt.Logger.Warn("the disk is full, writes that need room are refused; deleting and merging go on", "error", cause)
}

// isFull reports whether the disk is, and for how many bytes there was no room.
func (db *DB) isFull() (wants int64, full bool) {
	db.full.mu.Lock()
	defer db.full.mu.Unlock()
	return db.full.wants, db.full.full
}

// isTight reports whether the disk is full, or was, and not plenty of it is free since.
func (db *DB) isTight() bool {
	d := &db.full
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tight || d.full {
		return d.tight
	}
	free, err := db.opt.FS.FreeBytes(db.dir)
	d.tight = err != nil || free < 2*db.reserveSize()
	return d.tight
}

// tryRoom finds out whether a disk that was full still is.
func (db *DB) tryRoom() {
	wants, full := db.isFull()
	if !full {
		return
	}
	if err := db.log.makeRoom(wants); err != nil {
		return // it was said that the disk is full, and other errors are said by others
	}
	d := &db.full
	d.mu.Lock()
	defer d.mu.Unlock()
	said := d.said
	d.full, d.wants, d.said = false, 0, false
	if said {
		db.opt.Logger.Info("the disk has room again, writes are taken")
	}
}

// makeRoom makes sure that a frame of n bytes fits, as append does.
func (l *log) makeRoom(n int64) error {
	for {
		l.mu.Lock()
		if err := l.refusedLocked(); err != nil {
			l.mu.Unlock()
			return err
		}
		wait := l.roomForLocked(n, false)
		l.mu.Unlock()
		if wait == nil {
			return nil
		}
		if err := wait(); err != nil {
			return err
		}
	}
}

// slackBytes is about what an edit of the MANIFEST and a new file take.
func (db *DB) slackBytes() int64 { return max(db.reserveSize()/32, 4<<10) }

// roomForEdit makes sure that a merge can change the MANIFEST on a disk that is full.
func (db *DB) roomForEdit() error { return db.giveRoom(db.slackBytes()) }

// giveRoom makes sure that n bytes are free, as far as there is room that can be given.
func (db *DB) giveRoom(n int64) error {
	free, err := db.opt.FS.FreeBytes(db.dir)
	if err != nil || free >= n {
		return err
	}
	if given, err := db.shrinkReserve(n - free); given || err != nil {
		return err
	}
	return db.log.cutRoom(n - free)
}

// shrinkReserve cuts n bytes off RESERVE, unless that left less than half.
func (db *DB) shrinkReserve(n int64) (done bool, err error) {
	r := &db.merge.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes-n < db.reserveSize()/2 {
		return false, nil
	}
	f, err := db.opt.FS.Open(filepath.Join(db.dir, reserveName), false)
	if err != nil {
		return false, err
	}
	if err := errors.Join(f.Truncate(r.bytes-n), f.Close()); err != nil {
		return false, err
	}
	r.bytes -= n
	db.disk.settle(0, -n)
	return true, nil
}

// cutRoom gives back up to n bytes of the room that is reserved in the active file for
// transactions that delete. If they need it before there is another active file, they
// have to find it on the disk again.
func (l *log) cutRoom(n int64) error {
	l.mu.Lock()
	f := l.active
	l.mu.Unlock()
	f.room.Lock()
	defer f.room.Unlock()
	l.mu.Lock()
	have := f.log.allocated
	to := max(have-n, f.log.end+footerBytes)
	cut := f == l.active && to < have
	if cut {
		f.log.allocated = to
	}
	l.mu.Unlock()
	if !cut {
		return nil
	}
	if err := f.file.Truncate(to); err != nil {
		return err
	}
	l.db.disk.settle(0, to-have)
	return nil
}

// prepareSpareWhenFull is prepareSpare on a disk that has no room for that: with what
// can be given up, and with room for transactions that delete.
func (l *log) prepareSpareWhenFull() error {
	need := fileHeaderBytes + l.reserve() + footerBytes
	if err := l.db.giveRoom(need + l.db.slackBytes()); err != nil {
		return err
	}
	if err := l.prepareSpare(); err != nil {
		return err
	}
	l.mu.Lock()
	spare := l.spare
	l.mu.Unlock()
	if spare == nil || l.db.opt.NoPreallocate {
		return nil
	}
	free, err := l.db.opt.FS.FreeBytes(l.db.dir)
	if err != nil {
		return err
	}
	if short := need - (free - l.db.slackBytes()); short > 0 {
		need -= min(short, l.reserve()*3/4) // what there was in the old file is less, too
	}
	return l.reserveRoom(spare, need, true, true)
}

// What background work does when the disk has no room for it: it waits, each time
// twice as long.
const (
	firstRoomPause   = 100 * time.Millisecond
	longestRoomPause = 10 * time.Second
)

// roomPause is for how long background work that needs room waits.
type roomPause struct {
	until time.Time
	last  time.Duration // 0: it does not
}

// failed begins the next pause, and reports whether it is the first.
func (p *roomPause) failed(now time.Time) (first bool) {
	first = p.last == 0
	p.last = min(max(2*p.last, firstRoomPause), longestRoomPause)
	p.until = now.Add(p.last)
	return first
}
