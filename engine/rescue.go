package engine

import (
	"errors"
	"fmt"
)

func (l *log) isLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost != nil && l.failed == nil
}

// rescue writes everything since the last good sync again, to a new data file,
// after a sync failed. The tail still has it all. In order:
//
//  1. A new log file is made and listed. It gets every frame since the last good
//     sync, with the same sequence numbers, and is synced. From here on nothing
//     can be lost: Open takes a file that begins with frames it has already.
//  2. The entries of the keydir that refer to the old places are moved.
//  3. The old files are cut at their last good sync and will be sealed there;
//     those with nothing before it leave the list. Commits go on in the new file.
//
// An error leaves all as it was, but for the new file, which is made empty of
// meaning by leaving the list; rescue is then tried again.
func (l *log) rescue() error {
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	// A next file that is just being made is waited for; no other is begun while
	// lost is set. The lock is not kept, for a commit that waits for it has shard
	// locks, which are taken below.
	l.spareMu.Lock()
	l.mu.Lock()
	l.spareMu.Unlock()
	if l.lost == nil || l.failed != nil {
		defer l.mu.Unlock()
		return l.failed
	}
	// Nothing is appended while lost is set, so what is copied here is all.
	old := append([]*dataFile(nil), l.unsealed...)
	spare, lost := l.spare, l.lost
	l.mu.Unlock()
	synced := make([]fileMeta, len(old))
	for i, f := range old {
		if !coversUnsynced(f) {
			// The policy was SyncNever until a moment ago.
			return l.fail(fmt.Errorf("what was not synced of %s is no longer in memory: %w", f.name(), lost))
		}
		var err error
		if synced[i], err = countSynced(f); err != nil {
			return err
		}
	}
	to, err := l.db.newLogFile()
	if err != nil {
		return err
	}
	if err := l.copyUnsynced(to, old); err != nil {
		return errors.Join(err, l.db.dropEmptyFile(to))
	}
	at := int64(fileHeaderBytes)
	for _, f := range old {
		err := l.eachUnsynced(f, func(fr *frame) error {
			err := l.db.moveFrame(f, to, fr, at-fr.offset)
			at += fr.end() - fr.offset
			return err
		})
		if err != nil {
			return l.fail(err) // our own memory does not decode
		}
	}
	l.adoptRescued(to, old, synced)
	var errs []error
	for _, f := range old {
		if f.log.end == fileHeaderBytes {
			errs = append(errs, l.db.dropEmptyFile(f))
		}
	}
	if spare != nil {
		// It has a lower number than to: it could not come after it.
		errs = append(errs, l.db.dropEmptyFile(spare))
	}
	l.db.opt.Logger.Info("what the failed sync lost is written again", "file", to.name())
	l.wake()
	return errors.Join(errs...)
}

// coversUnsynced reports whether the tail has all of f since its last good sync.
func coversUnsynced(f *dataFile) bool {
	if f.log.synced == f.log.end {
		return true
	}
	chunks := f.tail.Load()
	return chunks != nil && len(*chunks) > 0 && (*chunks)[0].start <= f.log.synced
}

// eachUnsynced calls fn for each frame of f since its last good sync, with its
// old offset. It reads the tail. REQUIRES: commits are refused.
func (l *log) eachUnsynced(f *dataFile, fn func(fr *frame) error) error {
	chunks := f.tail.Load()
	if chunks == nil {
		return nil
	}
	for _, c := range *chunks {
		for at := max(c.start, f.log.synced); at < c.start+int64(c.n); {
			b := c.buf[at-c.start : c.n]
			h, reason := decodeFrameHeader(b, f.salted)
			if reason != "" || int64(h.payloadLen) > int64(len(b)-frameHeaderBytes) {
				return fmt.Errorf("engine: the tail of %s has no frame at %d: %s", f.name(), at, reason)
			}
			fr := frame{frameHeader: h, offset: at, payload: b[frameHeaderBytes : frameHeaderBytes+int(h.payloadLen)]}
			if err := fn(&fr); err != nil {
				return err
			}
			at = fr.end()
		}
	}
	return nil
}

// copyUnsynced writes the unsynced frames of old to the file to and syncs it.
// The tail of to gets them too.
func (l *log) copyUnsynced(to *dataFile, old []*dataFile) error {
	var buf []byte
	for _, f := range old {
		err := l.eachUnsynced(f, func(fr *frame) error {
			n, err := fr.checkRecords()
			if err != nil {
				return err
			}
			h := fr.frameHeader
			h.knownSynced = fileHeaderBytes
			at := len(buf)
			buf = append(buf, make([]byte, frameHeaderBytes)...)
			putFrameHeader(buf[at:], h, to.salted)
			buf = append(buf, fr.payload...)
			countFrame(to, fr, n)
			to.log.endSeq = fr.baseSeq + uint64(n) - 1
			return nil
		})
		if err != nil {
			return err
		}
	}
	end := fileHeaderBytes + int64(len(buf))
	if end > 1<<32-1 {
		return errorf("%w: %d bytes are not synced", ErrTooLarge, len(buf))
	}
	if err := to.file.Preallocate(end + footerBytes); err != nil {
		return err
	}
	if err := writeRetry(to.file, buf, fileHeaderBytes); err != nil {
		return err
	}
	if err := to.file.Sync(); err != nil {
		return err
	}
	to.log.end, to.log.synced, to.log.allocated = end, end, end+footerBytes
	to.flushed.Store(end)
	return nil
}

// countFrame adds the n records of a frame to the counters of its file.
// REQUIRES: checkRecords returned n.
func countFrame(f *dataFile, fr *frame, n int) {
	f.records.Add(int64(n))
	f.total.Add(int64(len(fr.payload)))
	if low := f.minSeq.Load(); low == 0 || fr.baseSeq < low {
		f.minSeq.Store(fr.baseSeq)
	}
	f.maxSeq.Store(max(f.maxSeq.Load(), fr.baseSeq+uint64(n)-1))
	if fr.tombstones != 0 {
		f.tombstones.Add(fr.tombstones)
		f.addTombstoneBytes(fr.tombBytes)
	}
}

// countSynced returns what the counters of f were at its last good sync.
func countSynced(f *dataFile) (m fileMeta, err error) {
	count := &dataFile{}
	end, reason, err := f.scanFrames(fileHeaderBytes, f.log.synced, func(fr *frame) error {
		n, err := fr.checkRecords()
		if err == nil {
			countFrame(count, fr, n)
		}
		return err
	})
	if err == nil && reason != "" {
		err = &CorruptError{File: f.name(), Offset: end, Reason: reason}
	}
	return fileMeta{
		minSeq: count.minSeq.Load(), maxSeq: count.maxSeq.Load(), records: uint64(count.records.Load()),
		tombstones: uint64(count.tombstones.Load()), recordBytes: count.total.Load(), tombBytes: count.tombBytes.Load(),
	}, err
}

// moveFrame lets the entries that refer to the records of fr, a frame of from,
// refer to its copy in to, which is shift bytes further on.
func (db *DB) moveFrame(from, to *dataFile, fr *frame, shift int64) error {
	run := lockRun{db: db, write: true}
	defer run.leave()
	return fr.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
		was, is := makeLocation(from.number, offset), makeLocation(to.number, offset+shift)
		switch r.kind {
		case kindPut, kindExpire:
			c := run.ofKey(r.key).findEntry(r.space, r.key)
			if c == nil || !headIs(c, r.kind, from, seq, was) {
				return nil
			}
			if r.kind == kindPut && c.flags()&flagInline == 0 {
				c.setLoc(is)
			}
			if c.seq() == seq {
				c.setRecFile(to.slot)
			}
			from.live.Add(-int64(size))
			to.live.Add(int64(size))
		case kindElemPut:
			c := run.collection(CollectionID(r.coll))
			if c == nil {
				return nil
			}
			e := c.find(r.key)
			if e == nil || !elementIs(e, from, seq, was) {
				return nil
			}
			if !e.inline() {
				e.loc = is
			}
			e.recFile = to.slot
			from.live.Add(-int64(size))
			to.live.Add(int64(size))
		case kindSpaceMap:
			run.leave() // moveMapping takes a lock
			db.moveMapping(r.number, seq, map[*dataFile]bool{from: true}, to)
		case kindTombstone, kindElemTombstone:
			// No entry refers to it.
		}
		return nil
	})
}

// adoptRescued makes to the active file and cuts the old ones at their last good
// sync.
func (l *log) adoptRescued(to *dataFile, old []*dataFile, synced []fileMeta) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsealed = nil
	for i, f := range old {
		m := &synced[i]
		f.log.end = f.log.synced
		f.log.endSeq = m.maxSeq
		f.flushed.Store(f.log.synced)
		f.minSeq.Store(m.minSeq)
		f.maxSeq.Store(m.maxSeq)
		f.records.Store(int64(m.records))
		f.tombstones.Store(int64(m.tombstones))
		f.tombBytes.Store(m.tombBytes)
		f.total.Store(m.recordBytes)
		l.dropWholeTailLocked(f)
		if f.log.end > fileHeaderBytes {
			l.unsealed = append(l.unsealed, f)
		}
	}
	l.unsealed = append(l.unsealed, to)
	l.active, l.spare, l.chunk = to, nil, nil
	l.lost, l.stalled = nil, nil
	l.flushedSeq.Store(l.nextSeq - 1)
	l.syncedSeq.Store(l.nextSeq - 1)
}
