package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// What of the data files is in memory. A read of a transaction that must not wait
// has to know before it touches a page. Asking the system costs a system call
// (mincore of a page: 0.3 us; the copy of a value out of the map: 0.1 us), so what
// was found is kept: a bit per extent of a file says that all of it was in memory
// when it was last looked at ("warm"). Reads in warm extents copy from the map and
// ask nobody; for all others the system is asked, each time.
//
// Bits go stale when the system takes pages away, so a goroutine keeps looking:
//
//   - A warm extent is looked at again, in part, in every pass over the files; a
//     cold one becomes warm when all of it is in memory. One that is nearly so is
//     asked to be read as a whole: it would never become warm by what is read
//     alone, for dead records are read by nobody.
//   - The count of the process's major faults is read forty times a second. Each
//     is somebody having waited for the disk, maybe in a warm extent. From then
//     on, and until there have been none for a while, no bit is believed: a process
//     that is short of memory pays for the question, and whoever does not, never.
//
// So a stall by a stale bit is possible, and lasts for a few pages at the most
// before all bits are out of use.

const (
	extentShift = 21 // 2 MiB
	extentBytes = 1 << extentShift

	residencyTick = 25 * time.Millisecond
	// residencyPass is the least time between the beginnings of two passes, and
	// residencyShare the share of its time that the goroutine spends looking.
	residencyPass  = 2 * time.Second
	residencyShare = 50
	// pressedFor is for how long no bit is believed after a major fault.
	pressedFor = 5 * time.Second
	// sampleBytes is how much of an extent is looked at first.
	sampleBytes = 64 << 10
	// nearlyWarm is how many of an extent's bytes in memory make the rest worth
	// reading, in sixteenths.
	nearlyWarm = 14
)

// warmMap has a bit for each extent of a file.
type warmMap struct{ words []atomic.Uint64 }

func newWarmMap(size int64) *warmMap {
	extents := (size + extentBytes - 1) >> extentShift
	return &warmMap{make([]atomic.Uint64, (extents+63)/64)}
}

func (m *warmMap) has(extent int64) bool {
	i := extent >> 6
	return i < int64(len(m.words)) && m.words[i].Load()&(1<<(extent&63)) != 0
}

func (m *warmMap) set(extent int64) {
	if i := extent >> 6; i < int64(len(m.words)) {
		m.words[i].Or(1 << (extent & 63))
	}
}

func (m *warmMap) unset(extent int64) {
	if i := extent >> 6; i < int64(len(m.words)) {
		m.words[i].And(^uint64(1 << (extent & 63)))
	}
}

// isWarm reports whether n bytes at offset are within warm extents.
func (d *dataFile) isWarm(offset int64, n int) bool {
	m := d.warm.Load()
	if m == nil {
		return false
	}
	first, last := offset>>extentShift, (offset+int64(n)-1)>>extentShift
	if first != last {
		last = min(last, max(first, d.flushed.Load()-1)>>extentShift)
	}
	for ; first <= last; first++ {
		if !m.has(first) {
			return false
		}
	}
	return true
}

// inTail reports whether the byte at offset is in the log's tail.
func (d *dataFile) inTail(offset int64) bool { return offset >= d.flushed.Load() }

// noteWritten makes the extents warm that a write up to end has begun: what was
// written just now is in memory. flushed is still what it was before.
func (d *dataFile) noteWritten(end int64) {
	m := d.warm.Load()
	if m == nil {
		return
	}
	from := d.flushed.Load()
	for i := from >> extentShift; i <= end>>extentShift; i++ {
		if i<<extentShift >= from || from == fileHeaderBytes {
			m.set(i)
		}
	}
}

// inMemory reports whether n bytes at offset can be read without waiting for the
// disk. It is true if that cannot be told.
func (d *dataFile) inMemory(offset int64, n int) bool {
	n = int(min(int64(n), d.flushed.Load()-offset))
	if n <= 0 {
		return true
	}
	if m := d.mapped.Load(); m != nil && offset+int64(n) <= int64(len(*m)) {
		return residentBytes((*m)[offset:offset+int64(n)]) == n
	}
	if f, ok := d.file.(ResidentFile); ok {
		return f.InMemory(offset, n)
	}
	return true
}

// residency is the goroutine that keeps the bits.
type residency struct {
	db *DB
	// pressed: no bit is to be believed.
	pressed atomic.Bool
	once    sync.Once
	begun   atomic.Bool

	// The goroutine's own.
	faults   int64
	since    time.Time // of the last sign of a lack of memory
	passed   time.Time // when the current pass began
	files    []*dataFile
	extent   int64 // of files[0]
	rotation int64 // which part of an extent is looked at first
}

// begin starts the goroutine for the first transaction that must not wait.
func (r *residency) begin() {
	if r.begun.Load() {
		return
	}
	r.once.Do(func() {
		r.faults = majorFaults()
		r.db.work.Go(r.run)
		r.begun.Store(true)
	})
}

func (r *residency) run() {
	tick := time.NewTicker(residencyTick)
	defer tick.Stop()
	defer r.endPass()
	for {
		select {
		case <-r.db.stop:
			return
		case now := <-tick.C:
			r.feel(now)
			r.look(now)
		}
	}
}

// feel notices a lack of memory, and its end.
func (r *residency) feel(now time.Time) {
	if n := majorFaults(); n != r.faults {
		r.faults = n
		r.press(now)
	} else if r.pressed.Load() && now.Sub(r.since) > pressedFor && len(r.files) == 0 && r.passed.After(r.since) {
		r.pressed.Store(false)
	}
}

// press notes a sign of a lack of memory.
func (r *residency) press(now time.Time) {
	r.since = now
	r.pressed.Store(true)
}

// look goes on with the pass over all files, for its share of the time.
func (r *residency) look(now time.Time) {
	if len(r.files) == 0 {
		if now.Sub(r.passed) < residencyPass {
			return
		}
		r.beginPass(now)
	}
	end := now.Add(residencyTick / residencyShare)
	for len(r.files) > 0 && time.Now().Before(end) {
		f := r.files[0]
		if m := f.mapped.Load(); m == nil || r.extent<<extentShift >= min(int64(len(*m)), f.flushed.Load()) {
			r.files, r.extent = r.files[1:], 0
			r.give(f)
			continue
		}
		if !r.lookAt(f, r.extent) {
			r.press(now)
		}
		r.extent++
	}
}

func (r *residency) beginPass(now time.Time) {
	r.passed = now
	r.rotation++
	db := r.db
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	// The newest first: they are read most.
	r.files = db.files.Load().all()
	slices.Reverse(r.files)
	for _, f := range r.files {
		f.acquire()
	}
	r.extent = 0
}

func (r *residency) endPass() {
	for _, f := range r.files {
		r.give(f)
	}
	r.files = nil
}

func (r *residency) give(f *dataFile) { r.db.cold.releaseFile(f) }

// lookAt brings the bit of an extent up to date. It reports false if pages of the
// extent have been taken away.
func (r *residency) lookAt(f *dataFile, extent int64) bool {
	m := *f.mapped.Load()
	from := extent << extentShift
	b := m[from:min(from+extentBytes, int64(len(m)), f.flushed.Load())]
	warm := f.warm.Load()
	parts := int64(len(b)+sampleBytes-1) / sampleBytes
	at := (r.rotation + extent) % parts * sampleBytes
	part := b[at:min(at+sampleBytes, int64(len(b)))]
	in := residentBytes(part)
	if warm.has(extent) {
		if in < len(part) {
			warm.unset(extent)
			return false
		}
		return true
	}
	if in < len(part)*nearlyWarm/16 {
		return true
	}
	switch in = residentBytes(b); {
	case in == len(b):
		warm.set(extent)
	case in >= len(b)/16*nearlyWarm && !r.pressed.Load():
		adviseNeeded(b)
	}
	return true
}
