package engine

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A limit on what the directory takes on the disk. It works like a full disk whose
// end is known: what would need more room is refused with ErrDiskLimit, before
// anything is changed; transactions that only delete, and merges, which give room
// back, are not. Room that is reserved for the log counts as taken, so that the
// limit is that of the disk and not of the bytes in use. A merge copies no more at a
// time than the limit leaves, or RESERVE has room for, before it removes what it
// copied from; if that is enough for no file, it copies one file, beyond the limit.

// ErrDiskLimit is returned for a write when the directory takes as much of the
// disk as DB.SetMaxDisk allows. Deleting and merging go on.
var ErrDiskLimit = errors.New("engine: the limit on disk use is reached")

// diskLookEvery is how long what is on the disk is believed to be as it was seen.
const diskLookEvery = 100 * time.Millisecond

// While the limit is reached a merge begins by itself with much less garbage than
// otherwise: any that is worth it.
const fullMergeRatio = 0.1

const (
	// noRefusal stands for no write that was refused.
	noRefusal = -1
	// wantsShare bounds what must become free before the limit counts as no longer
	// reached: one refused value that is huge says little about all others.
	wantsShare = 16
	// diskSayMs is the shortest time between two lines in the log, in milliseconds.
	diskSayMs = 10_000
)

// diskLimit is the limit and what is known of the disk.
type diskLimit struct {
	db    *DB
	limit atomic.Int64 // 0: none
	used  atomic.Int64 // when last looked, and what was reserved since
	grown atomic.Int64 // what files grew by since Open without being reserved
	since atomic.Int64 // grown, when last looked
	wants atomic.Int64 // what a write was refused for, the most of them; noRefusal

	hintless atomic.Bool // there is no room for hint files, which was said

	mu      sync.Mutex // held by the one who looks; guards following
	looked  time.Time
	claimed int64 // of used, what is about to be reserved, and may not be on the disk yet
	said    bool  // what was logged last: that the limit is reached
	saidMs  int64 // when; 0: never
}

// SetMaxDisk limits what the directory may take on the disk, in bytes; 0 means no
// limit. See ErrDiskLimit.
func (db *DB) SetMaxDisk(bytes int64) {
	if db.disk.limit.Swap(bytes) == bytes {
		return
	}
	db.disk.wants.Store(noRefusal)
	db.disk.look(0)
	db.disk.say(db.disk.isReached())
}

// DiskUsed returns what the files of the directory take on the disk, reserved room
// included, as it was no more than a moment ago.
func (db *DB) DiskUsed() int64 {
	db.disk.look(diskLookEvery)
	return db.disk.estimate()
}

// look brings used up to date, unless that was done since maxAge.
func (d *diskLimit) look(maxAge time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookLocked(maxAge)
}

func (d *diskLimit) lookLocked(maxAge time.Duration) {
	if maxAge > 0 && time.Since(d.looked) < maxAge {
		return
	}
	grown := d.grown.Load()
	used, err := d.db.directoryBytes()
	if err != nil {
		d.db.opt.Logger.Warn("look what is on the disk", "error", err)
		return
	}
	d.used.Store(used + d.claimed)
	d.since.Store(grown)
	d.looked = time.Now()
}

// directoryBytes adds up the lengths of the files in the directory, which are what
// is reserved for them. One that goes meanwhile counts nothing.
func (db *DB) directoryBytes() (sum int64, err error) {
	fs := db.opt.FS
	names, err := fs.List(db.dir)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		f, err := fs.Open(filepath.Join(db.dir, name), true)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := f.Size()
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// estimate is what is on the disk now.
func (d *diskLimit) estimate() int64 {
	return d.used.Load() + d.grown.Load() - d.since.Load()
}

// refuses reports whether n more bytes may not be written. It costs two loads.
func (d *diskLimit) refuses(n int64) bool {
	limit := d.limit.Load()
	if limit == 0 {
		return false
	}
	return d.estimate()+d.grows(n) > limit
}

// grows returns by how much n more bytes make the files longer.
func (d *diskLimit) grows(n int64) int64 {
	if !d.db.opt.NoPreallocate {
		return 0 // there is room for them already, which counts
	}
	return n
}

// check looks again, and returns ErrDiskLimit if files may not grow by n.
func (d *diskLimit) check(n int64) error {
	d.look(diskLookEvery)
	limit := d.limit.Load()
	refused := limit != 0 && d.estimate()+n > limit
	if refused {
		d.refused(min(n, limit/wantsShare))
	}
	d.say(d.isReached())
	if refused {
		return ErrDiskLimit
	}
	return nil
}

// refused notes that n bytes were.
func (d *diskLimit) refused(n int64) {
	for {
		wants := d.wants.Load()
		if wants >= n || d.wants.CompareAndSwap(wants, n) {
			return
		}
	}
}

// say logs whether the limit is reached, if that is news and the last were not just now.
func (d *diskLimit) say(reached bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said == reached {
		return
	}
	now := d.db.opt.NowMs()
	if since := now - d.saidMs; d.saidMs != 0 && 0 <= since && since < diskSayMs {
		return
	}
	d.said, d.saidMs = reached, now
	d.db.opt.Logger.Warn("the limit on disk use", "reached", reached, "limit", d.limit.Load(), "used", d.estimate())
}

// room claims room for a file to grow from have bytes: to want or, if the limit has no
// room for that, to need. small says that the limit is not for it. The claim counts as
// taken, so that two files do not get the same room; what became of it has to be told
// to settle, unless there is an error.
func (d *diskLimit) room(have, need, want int64, small bool) (to int64, err error) {
	if d.claim(want-have, small) {
		return want, nil
	}
	for !d.claim(need-have, false) {
		if err := d.check(need - have); err != nil {
			return have, err
		}
	}
	return need, nil
}

// claim takes n bytes, if the limit has room for them or must is set.
func (d *diskLimit) claim(n int64, must bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if limit := d.limit.Load(); limit != 0 && !must {
		d.lookLocked(diskLookEvery)
		if d.estimate()+n > limit {
			return false
		}
	}
	d.used.Add(n)
	d.claimed += n
	return true
}

// settle says that of a claim, got bytes were reserved.
func (d *diskLimit) settle(claim, got int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used.Add(got - claim)
	d.claimed -= claim
	d.looked = time.Time{} // who looked meanwhile may have counted it twice
}

// wrote counts a frame in a file where no room is reserved.
func (d *diskLimit) wrote(n int64) {
	if d.db.opt.NoPreallocate {
		d.grown.Add(n)
	}
}

// reached reports whether writes are refused: there is more on the disk than may be,
// or there is no room yet for what was refused. While small writes find the room that
// larger ones do not, it stays so.
func (d *diskLimit) reached() bool {
	reached := d.isReached()
	d.say(reached)
	return reached
}

func (d *diskLimit) isReached() bool {
	limit := d.limit.Load()
	wants := d.wants.Load()
	if limit == 0 || wants == noRefusal && d.estimate() <= limit {
		return false
	}
	d.look(diskLookEvery)
	if d.estimate()+max(wants, 0) > limit {
		return true
	}
	d.wants.CompareAndSwap(wants, noRefusal)
	return false
}

// sealForMerge ends the active file if writes are refused and merging it would give
// room back: it is never an input of a merge. On a full disk it does so, if the file is
// of some size, before there is anything to merge: what is deleted from then on can be
// given back without the room for the tombstones.
func (db *DB) sealForMerge() error {
	tight := db.isTight()
	if !db.disk.reached() && !tight {
		return nil
	}
	db.log.mu.Lock()
	f := db.log.active
	db.log.mu.Unlock()
	total, live := f.total.Load(), f.live.Load()
	worth := total > 0 && float64(total-live) >= fullMergeRatio*float64(total)
	if tight {
		// A new file costs room for transactions that delete.
		worth = worth && total >= db.log.reserve()/2 || total >= db.log.step()/4
	}
	if !worth {
		return nil
	}
	if err := db.rotateAndSeal(); !tight || !errors.Is(err, ErrNoSpace) {
		return err
	}
	return nil // merging what is immutable already is the way out
}
