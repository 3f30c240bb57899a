package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// unsyncedLimit is how much may be in memory only because it is not synced
	// before a sync is asked for.
	unsyncedLimit = 16 << 20
	// tailLimit is how much may be so before acknowledging waits for a sync.
	tailLimit = 128 << 20
	// unflushedLimit is how much of a file may be unwritten before a commit writes it
	// itself, whether anybody acknowledges or not.
	unflushedLimit = 4 << 20
	// preallocateStep is how much room is reserved at a time.
	preallocateStep = 16 << 20
	// reserveBytes is the part of the reserved room that only transactions that
	// delete may use when the disk is full.
	reserveBytes = 1 << 20
)

// log is the one sequence of frames of a database, over its data files. A
// commit puts its frame into the tail of the active file under log.mu; whoever
// needs it written (flush) or on the disk (sync) first becomes the leader for
// all who wait.
type log struct {
	db *DB

	mu     sync.Mutex // guards following, and the fields log and tail of every data file
	active *dataFile
	// unsealed are the files that still need a flush, a sync or a seal, in order;
	// the last one is active.
	unsealed []*dataFile
	spare    *dataFile // the next active file, in the MANIFEST already
	nextSeq  uint64
	written  int64      // bytes of frames since Open
	chunk    *tailChunk // the last chunk of active
	spares   tailBuffers
	diskFull bool // there was no room when room was last asked for
	closed   bool
	// stalled says why the tail could not be written; nil once it was. Commits
	// are refused meanwhile.
	stalled error
	// lost says that a sync failed, so that nobody knows what is on the disk after
	// the last good one. Commits are refused until rescue has written it again.
	lost error
	// failed is set when nothing can help any more; it stays.
	failed error

	tailBytes  atomic.Int64 // in memory: not flushed or not synced
	flushedSeq atomic.Uint64
	syncedSeq  atomic.Uint64
	endSeq     atomic.Uint64
	syncs      atomic.Int64
	syncNanos  atomic.Int64  // in all
	syncUsual  atomic.Int64  // what the last ones took, in nanoseconds, the newest counting most
	lastSync   atomic.Int64  // when all of the log was last known to be on the disk, Unix nanoseconds
	late       atomic.Bool   // the background sync takes too long
	sync       atomic.Uint32 // SyncPolicy

	writeMu sync.Mutex // held by the one who writes the tail; guards following
	todo    []pending  // scratch of pendingLocked
	ends    []fileEnd
	syncMu  sync.Mutex // held by the one who syncs; before writeMu
	sealMu  sync.Mutex // held by the one who seals; before syncMu
	spareMu sync.Mutex // held by the one who makes the next file; before mu

	mark syncMark // written under syncMu

	kick      chan struct{} // asks the background work to look
	roomPause roomPause     // of workLoop alone
}

// placed is where a frame went.
type placed struct {
	file   *dataFile
	offset int64 // of the frame
	base   uint64
}

// append puts a frame, whose header it fills in, at the end of the log. When it
// returns an error nothing happened. small says that the transaction only
// deletes, so that it may use the reserve of a full disk.
func (l *log) append(frame []byte, records uint64, small bool) (placed, error) {
	for {
		l.mu.Lock()
		if err := l.refusedLocked(); err != nil {
			l.mu.Unlock()
			return placed{}, err
		}
		wait := l.roomForLocked(int64(len(frame)), small)
		if wait == nil {
			p := l.placeLocked(frame, records)
			l.mu.Unlock()
			return p, nil
		}
		wasFull := l.diskFull
		l.mu.Unlock()
		// The reserve is for small ones, but only once it is known that they need it.
		if err := wait(); err != nil && (!small || wasFull || !errors.Is(err, ErrNoSpace)) {
			if errors.Is(err, ErrNoSpace) {
				l.db.noteFull(int64(len(frame)), err)
			}
			return placed{}, err
		}
	}
}

func (l *log) refusedLocked() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.failed != nil:
		return l.failed
	case l.lost != nil:
		return l.lost
	}
	return l.stalled
}

// roomForLocked makes sure that n bytes fit at the end of the active file,
// rotating if they do not. A result that is not nil has to be called without
// log.mu and then everything looked at again: it waits for the disk.
func (l *log) roomForLocked(n int64, small bool) (wait func() error) {
	opt := &l.db.opt
	p := &l.active.log
	if !small && l.db.disk.refuses(n) {
		return func() error { return l.db.disk.check(l.db.disk.grows(n)) }
	}
	if p.end > fileHeaderBytes && p.end+n+footerBytes > opt.DataFileBytes {
		if small && l.diskFull && p.end+n+footerBytes <= p.allocated {
			return nil // there is no next file, but the reserve of this one
		}
		if l.spare == nil {
			return l.prepareSpare
		}
		// A next file without room is of no use, and would leave the reserve behind.
		need := fileHeaderBytes + n + footerBytes
		if !small {
			need += l.reserve()
		}
		if spare := l.spare; !opt.NoPreallocate && need > spare.log.allocated {
			return func() error { return l.reserveRoom(spare, need, true, small) }
		}
		l.rotateLocked()
		p = &l.active.log
	}
	if l.spare == nil && p.end+n > opt.DataFileBytes/2 {
		l.wake()
	}
	if opt.NoPreallocate {
		return nil
	}
	end := p.end + n + footerBytes
	if !small {
		end += l.reserve()
	}
	if end > p.allocated {
		file, grows := l.active, end-p.end
		return func() error {
			err := l.reserveRoom(file, end, true, small)
			if isNoSpace(err) && l.goOnInSpare(file, grows) {
				return nil
			}
			return err
		}
	}
	if end+l.step()/2 > p.allocated && p.allocated < l.wantAllocated() {
		l.wake()
	}
	return nil
}

// goOnInSpare makes the next data file the active one, in the place of file, if there is
// room for n bytes in it: on a full disk it may have what is left.
func (l *log) goOnInSpare(file *dataFile, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active != file || file.log.end == fileHeaderBytes || l.spare == nil || l.spare.log.allocated < fileHeaderBytes+n {
		return false
	}
	l.rotateLocked()
	return true
}

// step is how much room is reserved at a time, and reserve the part of it that
// is kept for transactions that delete: less where data files are small.
func (l *log) step() int64 { return min(preallocateStep, l.db.opt.DataFileBytes) }

func (l *log) reserve() int64 { return min(reserveBytes, l.db.opt.DataFileBytes/8) }

// wantAllocated is how much room a data file gets in the end.
func (l *log) wantAllocated() int64 { return l.db.opt.DataFileBytes + l.reserve() + footerBytes }

// placeLocked copies the frame into the tail and gives it its numbers.
func (l *log) placeLocked(frame []byte, records uint64) placed {
	f := l.active
	at := placed{file: f, offset: f.log.end, base: l.nextSeq}
	putFrameHeader(frame, frameHeader{
		payloadLen:  uint32(len(frame) - frameHeaderBytes),
		baseSeq:     at.base,
		knownSynced: uint32(f.log.synced),
	}, f.salted)
	c := l.chunk
	if c == nil || len(c.buf)-c.n < len(frame) {
		c = l.addChunkLocked(len(frame))
	}
	copy(c.buf[c.n:], frame)
	c.n += len(frame)
	l.nextSeq += records
	f.log.end += int64(len(frame))
	f.log.endSeq = l.nextSeq - 1
	if f.minSeq.Load() == 0 {
		f.minSeq.Store(at.base)
	}
	f.maxSeq.Store(l.nextSeq - 1)
	f.records.Add(int64(records))
	f.total.Add(int64(len(frame) - frameHeaderBytes))
	l.tailBytes.Add(int64(len(frame)))
	l.written += int64(len(frame))
	l.db.disk.wrote(int64(len(frame)))
	l.endSeq.Store(l.nextSeq - 1)
	return at
}

// rotateLocked makes the spare file the active one.
func (l *log) rotateLocked() {
	l.active = l.spare
	l.spare = nil
	l.chunk = nil
	l.unsealed = append(l.unsealed, l.active)
	l.wake()
}

func (l *log) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// prepareSpare makes the next active file: created, synced, in the MANIFEST, and
// with room reserved. Its place in the MANIFEST comes before anything in it, so
// a data file that is not listed holds nothing that was acknowledged.
func (l *log) prepareSpare() error {
	l.spareMu.Lock()
	defer l.spareMu.Unlock()
	l.mu.Lock()
	done, refused := l.spare != nil, l.refusedLocked()
	l.mu.Unlock()
	if done || refused != nil {
		return refused
	}
	if free, err := l.db.opt.FS.FreeBytes(l.db.dir); err == nil && free < max(l.db.slackBytes()/8, fileHeaderBytes+manifestPageBytes) {
		// To try would cost a file number, and may leave an empty file behind.
		l.setDiskFull(true)
		return errorf("%w: there are %d bytes for a new data file", ErrNoSpace, free)
	}
	f, err := l.db.newLogFile()
	if err != nil {
		if isNoSpace(err) {
			l.setDiskFull(true)
			return errorf("%w: %w", ErrNoSpace, err)
		}
		return errorf("%w: %w", ErrFailed, err)
	}
	if !l.db.opt.NoPreallocate {
		l.reserveSpare(f)
	}
	l.mu.Lock()
	l.spare = f
	l.mu.Unlock()
	return nil
}

// reserveSpare reserves a step of room in the next data file. That a full disk or the
// limit has none is no error yet: it is when somebody needs the room.
func (l *log) reserveSpare(f *dataFile) {
	disk := &l.db.disk
	if !disk.claim(l.step(), false) {
		return
	}
	err := f.file.Preallocate(fileHeaderBytes + l.step())
	if err != nil {
		disk.settle(l.step(), 0)
		if !isNoSpace(err) {
			l.warn("reserve room in the next data file", err)
		}
		return
	}
	disk.settle(l.step(), l.step())
	f.log.allocated = fileHeaderBytes + l.step()
}

func (l *log) setDiskFull(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.diskFull = full
}

// reserveRoom reserves room in file up to need at least and, if it can, a step
// more. must says that somebody waits, so that failing is ErrNoSpace; small that it
// is for a transaction that only deletes.
func (l *log) reserveRoom(file *dataFile, need int64, must, small bool) error {
	file.room.Lock()
	defer file.room.Unlock()
	l.mu.Lock()
	// One that was, or is about to be, sealed must not grow.
	have := file.log.allocated
	enough := have >= need || file != l.active && file != l.spare
	l.mu.Unlock()
	if enough {
		return nil
	}
	to, err := l.db.disk.room(have, need, max(need, min(need+l.step(), l.wantAllocated())), small)
	if err != nil {
		if must {
			return err
		}
		return nil
	}
	claim := to - have
	err = file.file.Preallocate(to)
	if err != nil && isNoSpace(err) && to > need {
		to = need
		err = file.file.Preallocate(to)
	}
	if err != nil {
		to = have
	}
	l.db.disk.settle(claim, to-have)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		file.log.allocated = to
		l.diskFull = false
		return nil
	}
	l.diskFull = l.diskFull || isNoSpace(err)
	if !isNoSpace(err) {
		return errorf("%w: reserve room in %s: %w", ErrFailed, file.name(), err)
	}
	if must {
		return errorf("%w: %w", ErrNoSpace, err)
	}
	return nil
}

// recovered ends the refusal of commits after a write that failed.
func (l *log) recovered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled != nil {
		l.stalled = nil
		l.db.opt.Logger.Info("the log can be written again")
	}
}

// pending is a piece of the tail that is not written.
type pending struct {
	file *dataFile
	from int64
	b    []byte
}

// pendingLocked returns what is not flushed, in order, and the position that
// writing it reaches. REQUIRES: writeMu is held, too.
func (l *log) pendingLocked() (todo []pending, ends []fileEnd, endSeq uint64) {
	todo, ends = l.todo[:0], l.ends[:0]
	for _, f := range l.unsealed {
		flushed := f.flushed.Load()
		if flushed == f.log.end {
			continue
		}
		ends = append(ends, fileEnd{f, f.log.end})
		for _, c := range *f.tail.Load() {
			if end := c.start + int64(c.n); end > flushed {
				from := max(flushed, c.start)
				todo = append(todo, pending{f, from, c.buf[from-c.start : c.n]})
			}
		}
	}
	l.todo, l.ends = todo, ends
	return todo, ends, l.nextSeq - 1
}

// fileEnd is an offset in a file.
type fileEnd struct {
	file   *dataFile
	offset int64
}

// flush hands everything up to seq to the operating system.
func (l *log) flush(seq uint64) error {
	if l.flushedSeq.Load() >= seq {
		return nil
	}
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if l.flushedSeq.Load() >= seq {
		return nil
	}
	return l.flushHeld()
}

// flushHeld writes the tail. After a failure it may simply be called again: the
// tail is still there. REQUIRES: writeMu is held.
func (l *log) flushHeld() error {
	l.mu.Lock()
	if l.failed != nil || l.lost != nil {
		defer l.mu.Unlock()
		return cmp.Or(l.failed, l.lost)
	}
	todo, ends, endSeq := l.pendingLocked()
	l.mu.Unlock()
	for _, p := range todo {
		if err := writeRetry(p.file.file, p.b, p.from); err != nil {
			return l.writeFailed(fmt.Errorf("write %s: %w", p.file.name(), err))
		}
	}
	clear(todo) // it must not keep the chunks alive
	for _, e := range ends {
		e.file.noteWritten(e.offset)
		e.file.flushed.Store(e.offset)
	}
	l.flushedSeq.Store(endSeq)
	l.recovered()
	l.dropTail()
	if l.tailBytes.Load() > unsyncedLimit {
		l.wake()
	}
	return nil
}

// writeRetry writes b at offset. What a short or failed write left is written
// over once more, from where it began: writing the same bytes again is harmless.
func writeRetry(f File, b []byte, offset int64) error {
	n, err := f.WriteAt(b, offset)
	if err == nil && n == len(b) {
		return nil
	}
	_, err = f.WriteAt(b, offset)
	return err
}

// syncTo makes everything up to seq durable. Those who wait share one sync: the
// first does it for all whose records were written before it began.
func (l *log) syncTo(seq uint64) error {
	if l.syncedSeq.Load() >= seq {
		return nil
	}
	err := l.syncShared(seq)
	if err != nil && l.isLost() {
		// The sooner what the failed sync lost is written again, the better.
		if rescued := l.rescue(); rescued == nil && !l.isLost() {
			return nil
		}
	}
	return err
}

func (l *log) syncShared(seq uint64) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if l.syncedSeq.Load() >= seq {
		return nil
	}
	return l.syncHeld()
}

// syncHeld flushes and syncs. An earlier file is synced before a later one, so
// that what a power cut leaves is a prefix. REQUIRES: syncMu is held.
func (l *log) syncHeld() error {
	if err := l.flush(l.endSeq.Load()); err != nil {
		return err
	}
	l.mu.Lock()
	if l.failed != nil || l.lost != nil {
		defer l.mu.Unlock()
		return cmp.Or(l.failed, l.lost)
	}
	// The number is read before the offsets: a flush that ends in between may make
	// the offsets say more, never less.
	seq := l.flushedSeq.Load()
	var ends []fileEnd
	for _, f := range l.unsealed {
		if flushed := f.flushed.Load(); flushed > f.log.synced {
			ends = append(ends, fileEnd{f, flushed})
		}
	}
	l.mu.Unlock()
	if len(ends) == 0 {
		l.syncedSeq.Store(max(seq, l.syncedSeq.Load()))
		return nil
	}
	started := time.Now()
	for _, e := range ends {
		if err := e.file.file.Sync(); err != nil {
			return l.syncFailed(fmt.Errorf("sync %s: %w", e.file.name(), err))
		}
		l.mu.Lock()
		e.file.log.synced = max(e.file.log.synced, e.offset)
		l.mu.Unlock()
	}
	took := int64(time.Since(started))
	// Whoever does not wait for this sync, but sees that it was done, acknowledges at once.
	l.mark.write(ends[len(ends)-1])
	l.syncedSeq.Store(max(seq, l.syncedSeq.Load()))
	l.syncs.Add(1)
	l.syncNanos.Add(took)
	usual := l.syncUsual.Load()
	if usual == 0 {
		usual = took
	}
	l.syncUsual.Store(usual + (took-usual)/8)
	l.lastSync.Store(time.Now().UnixNano())
	l.dropTail()
	return nil
}

// fail refuses everything from now on.
func (l *log) fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = errorf("%w: %w", ErrFailed, cause)
		l.db.opt.Logger.Error("storage failed, writes are refused until a restart", "error", cause)
	}
	return l.failed
}

// writeFailed handles a write that failed twice. The tail still has the bytes,
// so commits are refused until a later try succeeds. With SyncAlways only a full
// disk is such a case: after any other error the database stops.
func (l *log) writeFailed(cause error) error {
	if SyncPolicy(l.sync.Load()) == SyncAlways && !isNoSpace(cause) {
		return l.fail(cause)
	}
	kind := ErrFailed
	if isNoSpace(cause) {
		kind = ErrNoSpace
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled == nil {
		l.db.opt.Logger.Error("the log cannot be written, writes are refused until it can", "error", cause)
	}
	l.stalled = errorf("%w: %w", kind, cause)
	return l.stalled
}

// syncFailed handles a sync that failed. The system may have dropped the pages
// and report the next sync as good (Rebello et al., "Can Applications Recover
// from fsync Failures?", ATC 2020), so it is never tried again on the same bytes.
func (l *log) syncFailed(cause error) error {
	if p := SyncPolicy(l.sync.Load()); p == SyncAlways || p == SyncNever {
		return l.fail(cause)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirtyLocked()
	if l.lost == nil {
		l.lost = errorf("%w: %w", ErrFailed, cause)
		l.db.opt.Logger.Error("a sync failed, writes are refused until what it lost is written again", "error", cause)
	}
	return l.lost
}

// dirtyLocked writes what a failed sync may have lost over itself: the system
// then holds it again, should this process die before rescue is done. What fails
// here, rescue has still in memory.
func (l *log) dirtyLocked() {
	for _, f := range l.unsealed {
		chunks, flushed := f.tail.Load(), f.flushed.Load()
		if chunks == nil {
			continue
		}
		for _, c := range *chunks {
			from, to := max(c.start, f.log.synced), min(c.start+int64(c.n), flushed)
			if from < to {
				_, _ = f.file.WriteAt(c.buf[from-c.start:to-c.start], from)
			}
		}
	}
}

func (l *log) warn(what string, err error) { l.db.opt.Logger.Warn(what, "error", err) }

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
