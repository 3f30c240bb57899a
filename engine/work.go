package engine

import (
	"errors"
	"time"
)

// syncInterval is how often SyncEverySecond syncs. Half of the promised second
// leaves room for the sync itself.
const syncInterval = 500 * time.Millisecond

// lateAfter is how long a background sync may take before acknowledging waits
// for it. Together with syncInterval it bounds what a power cut takes under
// SyncEverySecond: what was acknowledged in 1.5 seconds.
const lateAfter = time.Second

// begin makes the active file of an opened database.
func (l *log) begin() error {
	seq := l.nextSeq - 1
	l.endSeq.Store(seq)
	l.flushedSeq.Store(seq)
	l.syncedSeq.Store(seq)
	l.db.logEnd = l.nextSeq
	f, err := l.db.newLogFile()
	if err != nil {
		return err
	}
	if !l.db.opt.NoPreallocate {
		if err := l.reserveFirst(f); err != nil {
			return err
		}
	}
	l.active = f
	l.unsealed = []*dataFile{f}
	if err := l.mark.open(l.db.opt.FS, l.db.dir, l.db.manifest.uuid); err != nil {
		l.warn("open "+syncMarkName, err)
	}
	return nil
}

// reserveFirst reserves the first room in the active file: a step, but on a disk that
// is nearly full only what transactions that delete need. A merge, which comes first
// then, needs the rest. That there is no room at all is no error until it is needed.
func (l *log) reserveFirst(f *dataFile) error {
	free, err := l.db.opt.FS.FreeBytes(l.db.dir)
	if err != nil {
		return err
	}
	to := fileHeaderBytes + l.step()
	if free < l.step()+l.db.reserveSize() {
		to = fileHeaderBytes + min(l.step(), l.reserve()+footerBytes)
	}
	switch err := f.file.Preallocate(to); {
	case err == nil:
		f.log.allocated = to
	case !isNoSpace(err):
		return err
	}
	return nil
}

// afterCommit does what a commit caused and nobody may ask for. The commit went to
// file, up to end.
func (l *log) afterCommit(file *dataFile, end int64) {
	if end-file.flushed.Load() >= unflushedLimit {
		// The error is sticky: the next commit or Ack returns it.
		_ = l.flush(l.endSeq.Load())
	}
	if SyncPolicy(l.sync.Load()) == SyncBytes && l.unsynced() >= l.db.opt.SyncBytes {
		l.wake()
	}
}

func (l *log) unsynced() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.unsealed {
		n += f.log.end - f.log.synced
	}
	return n
}

// syncLoop syncs in the background as the policy says, until the database closes.
func (l *log) syncLoop() {
	tick := time.NewTicker(syncInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.db.stop:
			return
		case <-tick.C:
		}
		l.trimBuffers()
		l.db.tryRoom()
		l.wakeForSeals()
		var err error
		if SyncPolicy(l.sync.Load()) == SyncNever {
			err = l.flush(l.endSeq.Load())
		} else {
			timer := time.AfterFunc(lateAfter, func() { l.late.Store(true) })
			began := time.Now()
			if err = l.syncTo(l.endSeq.Load()); err == nil {
				// If there was nothing to sync, that is as good.
				l.lastSync.Store(max(began.UnixNano(), l.lastSync.Load()))
			}
			timer.Stop()
			l.late.Store(false)
		}
		if err != nil && !errors.Is(err, ErrFailed) {
			l.warn("sync in the background", err)
		}
	}
}

// workLoop reserves room, prepares the next data file, seals full ones and syncs
// when too much is not, until the database closes.
func (l *log) workLoop() {
	for {
		select {
		case <-l.db.stop:
			return
		case <-l.kick:
		}
		err := l.workOnce()
		if isNoSpace(err) || errors.Is(err, ErrNoSpace) {
			if l.roomPause.failed(time.Now()) {
				l.warn("background work on the log waits for room on the disk", err)
			}
			continue
		}
		if err == nil && time.Now().After(l.roomPause.until) {
			l.roomPause = roomPause{}
		}
		if err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, ErrClosed) {
			l.warn("background work on the log", err)
		}
	}
}

// wakeForSeals has workLoop look again at files that could not be sealed.
func (l *log) wakeForSeals() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.unsealed) > 1 {
		l.wake()
	}
}

func (l *log) workOnce() error {
	l.mu.Lock()
	active := l.active
	need := active.log.end + l.step()/2 + l.reserve() + footerBytes
	wantRoom := !l.db.opt.NoPreallocate && active.log.allocated < min(need, l.wantAllocated())
	wantSpare := l.spare == nil && active.log.end > l.db.opt.DataFileBytes/2
	full := len(l.unsealed) > 1
	l.mu.Unlock()
	if time.Now().Before(l.roomPause.until) {
		wantRoom, wantSpare, full = false, false, false
	}
	var errs []error
	if wantRoom {
		errs = append(errs, l.reserveRoom(active, need, false, false))
	}
	if wantSpare {
		errs = append(errs, l.prepareSpare())
	}
	if SyncPolicy(l.sync.Load()) == SyncBytes && l.unsynced() >= l.db.opt.SyncBytes || l.tailBytes.Load() > unsyncedLimit {
		errs = append(errs, l.syncTo(l.endSeq.Load()))
	}
	if full {
		errs = append(errs, l.sealFull())
	}
	return errors.Join(errs...)
}

// sealFull seals every log file but the active one, in order.
func (l *log) sealFull() error {
	if err := l.syncTo(l.endSeq.Load()); err != nil {
		return err
	}
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	for {
		l.mu.Lock()
		if len(l.unsealed) < 2 {
			l.mu.Unlock()
			return nil
		}
		f := l.unsealed[0]
		end := l.unsealed[0].log.end
		synced := l.unsealed[0].log.synced
		l.mu.Unlock()
		if synced < end {
			// It became full after the sync began: the next round has it.
			l.wake()
			return nil
		}
		if err := l.db.sealFile(f, end); err != nil {
			return err
		}
		l.mu.Lock()
		l.unsealed = l.unsealed[1:]
		l.mu.Unlock()
		l.dropSealedTail(f)
	}
}

// rotateAndSeal makes everything committed so far part of immutable files.
func (db *DB) rotateAndSeal() error {
	l := db.log
	l.mu.Lock()
	empty := l.active.log.end == fileHeaderBytes
	refused := l.refusedLocked()
	l.mu.Unlock()
	if refused != nil {
		return refused
	}
	if !empty {
		err := l.prepareSpare()
		if errors.Is(err, ErrNoSpace) || err == nil && db.isTight() {
			err = l.prepareSpareWhenFull()
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		// Another commit may have rotated, and used the spare, since.
		if l.spare != nil && l.active.log.end > fileHeaderBytes {
			l.rotateLocked()
		}
		l.mu.Unlock()
	}
	return noSpaceError(l.sealFull())
}

// refuseWrites makes every later commit fail. What is committed stays to be
// written.
func (l *log) refuseWrites() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// closeFiles syncs and seals everything, so that the next Open has nothing to
// replay, and drops the files without records. The background work has ended.
func (l *log) closeFiles() (err error) {
	defer func() { err = errors.Join(err, l.mark.close()) }()
	if err := l.syncTo(l.endSeq.Load()); err != nil {
		return err
	}
	files := l.unsealed
	if l.spare != nil {
		files = append(files, l.spare)
	}
	for _, f := range files {
		end := f.log.end
		if end == fileHeaderBytes {
			err = l.db.dropEmptyFile(f)
		} else {
			err = l.db.sealFile(f, end)
		}
		if err != nil {
			return err
		}
	}
	clean := true
	l.db.filesMu.Lock()
	defer l.db.filesMu.Unlock()
	return l.db.changeFilesLocked(&manifestEdit{clean: &clean}, nil, nil)
}
