package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// This file is the work of a merge: reading the old files, writing the new ones,
// and the edits of the MANIFEST.

const (
	// mergeBatchBytes is how much is written at a time.
	mergeBatchBytes = 512 << 10
	// mergeFrameBytes bounds a run of records that share a frame.
	mergeFrameBytes = 64 << 10
)

// merger is one run of a merge.
type merger struct {
	db      *DB
	ctx     context.Context
	started time.Time
	rate    rateLimiter
	apart   bool // see mergeChoice

	done, total int64 // bytes of the inputs
	progress    progress
	reclaimed   int64
	batch       mergeBatch
	// coll is the collection of the last record that was about an element, and
	// collGone says that it was gone then. No id is used again.
	coll     CollectionID
	collGone bool

	// Of the group that is being merged:
	group   []*dataFile
	copied  []*dataFile // those of group that were copied to the end
	live    *liveSet    // nil: not known
	lowest  uint64      // sequence numbers outside of the group are not below
	dropped uint64      // highest sequence number of a tombstone that was dropped
	out     *mergeOutput
	outs    []*dataFile // the new files, all of them sealed but that of out
	// fromReserve says that the first new file is to be made of RESERVE.
	fromReserve bool
}

// runGroups merges todo, group by group. A group that was committed stays so
// whatever becomes of the next.
func (m *merger) runGroups(todo []*dataFile) error {
	for len(todo) > 0 {
		room, free, err := m.db.mergeRoom()
		if err != nil {
			return err
		}
		done := m.done
		m.group, todo = m.nextGroup(todo, room)
		err = ErrNoSpace
		if len(m.group) > 0 {
			err = m.runGroup()
		}
		if errors.Is(err, ErrNoSpace) && m.db.reserveLeft() > 0 {
			// Also if the log took the room that there was meanwhile.
			m.fromReserve, m.done = true, done
			if room, free, err = m.db.mergeRoom(); err != nil {
				return err
			}
			// The new file has the room of RESERVE, and may grow beyond that.
			most := m.db.reserveLeft() + max(room-m.db.slackBytes(), 0)
			err = ErrNoSpace
			if m.group, todo = m.db.takeGroup(append(m.group, todo...), most); len(m.group) > 0 {
				err = m.runGroup()
			}
		}
		if errors.Is(err, ErrNoSpace) && len(m.group) == 0 && room < free {
			m.fromReserve = false
			if m.group, todo = m.db.takeBeyondLimit(todo, free); len(m.group) > 0 {
				err = m.runGroup()
			}
		}
		if errors.Is(err, ErrNoSpace) && len(m.group) == 0 {
			err = m.db.noRoomToMerge(todo, room, free)
			if err == nil {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noRoomToMerge says why none of todo can be merged where there is room for so much and
// the disk has so much free. It is no error if nothing in them is dead: they would only
// be written anew as they are.
func (db *DB) noRoomToMerge(todo []*dataFile, room, free int64) error {
	if !slices.ContainsFunc(todo, (*dataFile).hasGarbage) {
		return nil
	}
	kind := ErrNoSpace
	if room < free {
		kind = ErrDiskLimit
	}
	least := int64(math.MaxInt64)
	for _, need := range db.mergeNeeds(todo) {
		least = min(least, need)
	}
	return fmt.Errorf("%w: %d bytes are not enough to merge any file: what is live of the least takes %d", kind, room, least)
}

// nextGroup takes the files to merge next off todo: none if free is not enough.
func (m *merger) nextGroup(todo []*dataFile, free int64) (group, rest []*dataFile) {
	if m.apart {
		if group, rest = m.db.takePiece(todo, free); len(group) > 0 {
			return group, rest
		}
	}
	return m.db.takeGroup(todo, free)
}

func (m *merger) runGroup() error {
	all := m.db.candidates()
	m.lowest = lowestSeq(all, func(i int) bool { return slices.Contains(m.group, all[i].file) })
	m.copied, m.outs, m.out, m.dropped = nil, nil, nil, 0
	var err error
	if m.live, err = m.db.findLive(m.ctx, m.group); err != nil {
		return err
	}
	slices.SortFunc(m.group, func(a, b *dataFile) int { return cmp.Compare(a.number, b.number) })
	var unread error
	for _, f := range m.group {
		if unread = m.copyFile(f); unread != nil {
			break
		}
		m.copied = append(m.copied, f)
	}
	m.live, err = nil, unread
	if err == nil || m.canStopHere(unread) {
		err = m.finishOutput()
	}
	if err != nil {
		discard(m.outs, m.db.opt.Logger)
		return err
	}
	return errors.Join(unread, m.commit())
}

// canStopHere reports whether a merge that ended early, because an input could
// not be read or because it was cancelled, can be committed for the files that
// were copied until then: if there are any, and if none of the tombstones that
// were dropped hides something in a file that stays.
func (m *merger) canStopHere(cause error) bool {
	if len(m.copied) == 0 || !errors.Is(cause, ErrCorrupt) && context.Cause(m.ctx) == nil {
		return false
	}
	for _, f := range m.group {
		if lowest := f.minSeq.Load(); !slices.Contains(m.copied, f) && lowest != 0 && lowest <= m.dropped {
			return false
		}
	}
	return true
}

// copyFile copies what is live of one file.
func (m *merger) copyFile(f *dataFile) error {
	from, live := m.done, m.live.of(f)
	if m.db.nothingToCopy(f, live, m.lowest) {
		m.done = from + f.meta.dataEnd
		if f.tombstones.Load() != 0 {
			m.dropped = max(m.dropped, f.maxSeq.Load())
		}
		return nil
	}
	m.batch.reset()
	end, reason, err := f.scanFrames(fileHeaderBytes, f.meta.dataEnd, func(fr *frame) error {
		if _, err := fr.checkRecords(); err != nil {
			return err
		}
		err := fr.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
			if live.dead(r.kind, seq) || m.ofGone(r) {
				return nil
			}
			if !m.batch.fits(size) {
				if err := m.copyBatch(f); err != nil {
					return err
				}
			}
			at := offset - fr.offset - frameHeaderBytes
			m.batch.add(r, fr.payload[at:at+int64(size)], seq, offset)
			return nil
		})
		m.done = from + fr.end()
		if err == nil && m.batch.full() {
			err = m.copyBatch(f)
		}
		return err
	})
	if err == nil && reason == "" && end == f.meta.dataEnd {
		err = m.copyBatch(f)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.name(), err)
	}
	if reason != "" || end != f.meta.dataEnd {
		m.db.merge.markDamaged(f.number)
		return m.db.readFailed(&CorruptError{File: f.name(), Offset: end, Reason: cmp.Or(reason, "the data ends early")})
	}
	m.done = from + f.meta.dataEnd
	return nil
}

// ofGone reports whether a record is about an element of a collection that is gone. A
// list that was emptied, or dropped, leaves as many tombstones as elements.
func (m *merger) ofGone(r *record) bool {
	if !r.kind.isElement() {
		return false
	}
	if id := CollectionID(r.coll); id != m.coll {
		m.coll, m.collGone = id, m.db.colls.get(id) == nil
	}
	return m.collGone
}

// copyBatch copies what is live of the records that were read of f.
func (m *merger) copyBatch(f *dataFile) error {
	if err := context.Cause(m.ctx); err != nil {
		return err
	}
	m.report()
	m.batch.judge(m.db, f, m.lowest)
	for i := range m.batch.items {
		if err := m.copyRecord(&m.batch.items[i]); err != nil {
			return err
		}
	}
	m.batch.reset()
	return nil
}

// copyRecord appends a record to the new file if it has to live on.
func (m *merger) copyRecord(it *mergeItem) error {
	switch it.verdict {
	case recordDead:
		return nil
	case recordDropped:
		m.dropped = max(m.dropped, it.seq)
		return nil
	case recordLive, recordKept:
	}
	if m.out != nil && !m.out.fits(len(it.raw), m.db.opt.DataFileBytes) {
		if err := m.finishOutput(); err != nil {
			return err
		}
	}
	if m.out == nil {
		out, err := m.newOutput()
		if err != nil {
			return err
		}
		m.out = out
	}
	m.out.add(it.r.kind, it.seq, it.raw)
	if len(m.out.buf) >= mergeBatchBytes {
		return m.flush()
	}
	return nil
}

// flush writes what the new file has in memory.
func (m *merger) flush() error {
	n := len(m.out.buf)
	if n == 0 {
		return nil
	}
	if err := m.out.write(); err != nil {
		return err
	}
	return m.rate.wait(m.ctx, n)
}

// newOutput makes a new file. Nobody else knows it until it is listed.
func (m *merger) newOutput() (*mergeOutput, error) {
	db := m.db
	number, err := db.takeFileNumber()
	if err != nil {
		return nil, err
	}
	var f *dataFile
	if m.fromReserve {
		m.fromReserve = false
		f, err = db.createFromReserve(number)
	} else {
		f, err = createDataFile(db.opt.FS, db.dir, number, fileMerged, db.manifest.uuid, db.opt.NowMs())
	}
	if err != nil {
		return nil, noSpaceError(err)
	}
	m.outs = append(m.outs, f)
	return &mergeOutput{f: f, written: fileHeaderBytes, run: -1}, nil
}

// finishOutput writes the rest of the new file, if there is one, and makes it
// whole and durable, with its hint file.
func (m *merger) finishOutput() error {
	if m.out == nil {
		return nil
	}
	n := len(m.out.buf)
	if err := m.out.write(); err != nil {
		return err
	}
	if err := m.rate.wait(m.ctx, n); err != nil && m.ctx.Err() == nil {
		return err // being cancelled ends the copying, not what is copied
	}
	db, f := m.db, m.out.f
	m.out = nil
	meta, err := f.seal(f.flushed.Load(), db.manifest.uuid)
	if err != nil {
		return noSpaceError(err)
	}
	f.setSealed(meta)
	if !db.opt.NoMmap {
		if err := f.mapFile(meta.size); err != nil {
			db.opt.Logger.Warn("map a merged file", "file", f.name(), "error", err)
		}
	}
	db.makeHint(f)
	return nil
}

// commit does the steps after the copying, for the files that were copied.
func (m *merger) commit() error {
	db := m.db
	db.merge.at(stepCopied)
	if err := m.list(); err != nil {
		return err
	}
	db.merge.at(stepListed)
	from := make(map[*dataFile]bool, len(m.copied))
	for _, f := range m.copied {
		from[f] = true
	}
	for _, f := range m.outs {
		if err := db.moveEntries(f, from); err != nil {
			return db.readFailed(err)
		}
	}
	db.merge.at(stepMoved)
	// What was dropped before the entries were moved still refers to the old files by
	// their slots, which new files may get from here on.
	db.reaper.catchUp()
	if err := m.unlist(); err != nil {
		return err
	}
	db.merge.at(stepCommitted)
	for _, f := range m.outs {
		m.reclaimed -= f.meta.size
	}
	for _, f := range m.copied {
		m.reclaimed += f.meta.size
	}
	db.merge.retire(m.copied)
	discard(m.copied, db.opt.Logger)
	return nil
}

// list adds the new files to the list.
func (m *merger) list() error {
	if len(m.outs) == 0 {
		return nil
	}
	db := m.db
	if err := db.roomForEdit(); err != nil {
		discard(m.outs, db.opt.Logger)
		return err
	}
	e := &manifestEdit{}
	for _, f := range m.outs {
		e.add = append(e.add, f.meta)
	}
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	if err := db.changeFilesLocked(e, m.outs, nil); err != nil {
		db.merge.limbo = append(db.merge.limbo, m.outs...)
		return err
	}
	return nil
}

// unlist takes the old files out of the list, after syncing the log.
func (m *merger) unlist() error {
	db := m.db
	db.merge.commitMu.Lock()
	defer db.merge.commitMu.Unlock()
	if err := db.Sync(); err != nil {
		return err
	}
	if err := db.roomForEdit(); err != nil {
		return err
	}
	e := &manifestEdit{}
	for _, f := range m.copied {
		e.remove = append(e.remove, f.number)
	}
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	return db.changeFilesLocked(e, nil, m.copied)
}

// report tells Options.Progress and Stats how far the merge is.
func (m *merger) report() {
	m.db.merge.progress(m.done, m.total)
	m.progress.set(m.done)
}

// mergeOutput is a new file that is being written.
type mergeOutput struct {
	f       *dataFile
	written int64 // length of the file
	buf     []byte
	// A run of records with consecutive sequence numbers is one frame.
	run      int    // where the frame begins in buf; -1: none is open
	runSeq   uint64 // of its first record
	runCount int
}

// fits reports whether another record and the footer fit into the file.
func (o *mergeOutput) fits(size int, limit int64) bool {
	end := o.written + int64(len(o.buf))
	return end == fileHeaderBytes || end+frameHeaderBytes+int64(size)+footerBytes <= limit
}

// add appends a record to the file's buffer.
func (o *mergeOutput) add(kind recordKind, seq uint64, raw []byte) {
	if o.run >= 0 && (seq != o.runSeq+uint64(o.runCount) || len(o.buf)-o.run+len(raw) > mergeFrameBytes) {
		o.endRun()
	}
	if o.run < 0 {
		o.run, o.runSeq, o.runCount = len(o.buf), seq, 0
		o.buf = append(o.buf, make([]byte, frameHeaderBytes)...)
	}
	o.buf = append(o.buf, raw...)
	o.runCount++
	f := o.f
	f.records.Add(1)
	f.total.Add(int64(len(raw)))
	if kind == kindTombstone || kind == kindElemTombstone {
		f.tombstones.Add(1)
		f.addTombstoneBytes(int64(len(raw)))
	}
	if was := f.minSeq.Load(); was == 0 || seq < was {
		f.minSeq.Store(seq)
	}
	f.maxSeq.Store(max(f.maxSeq.Load(), seq))
}

// endRun makes the open run a frame.
func (o *mergeOutput) endRun() {
	if o.run < 0 {
		return
	}
	putFrameHeader(o.buf[o.run:], frameHeader{
		flags: frameMerged, payloadLen: uint32(len(o.buf) - o.run - frameHeaderBytes), baseSeq: o.runSeq,
	}, o.f.salted)
	o.run = -1
}

// write writes the buffer, after making sure that the disk has the room for it
// and for the footer.
func (o *mergeOutput) write() error {
	o.endRun()
	if len(o.buf) == 0 {
		return nil
	}
	f := o.f
	end := o.written + int64(len(o.buf))
	if err := f.file.Preallocate(end + footerBytes); err != nil {
		return noSpaceError(err)
	}
	if err := writeRetry(f.file, o.buf, o.written); err != nil {
		return noSpaceError(fmt.Errorf("write %s: %w", f.name(), err))
	}
	o.written, o.buf = end, o.buf[:0]
	f.flushed.Store(end)
	return nil
}

// noSpaceError marks an error of a full disk.
func noSpaceError(err error) error {
	if isNoSpace(err) {
		return errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// rateLimiter spreads writes over time. It lets a burst of a quarter of a second
// through.
type rateLimiter struct {
	bytesPerSecond int64 // not positive: no limit
	until          time.Time
}

// wait notes n bytes as written and waits until that fits the rate.
func (l *rateLimiter) wait(ctx context.Context, n int) error {
	if l.bytesPerSecond <= 0 {
		return context.Cause(ctx)
	}
	now := time.Now()
	if l.until.Before(now) {
		l.until = now
	}
	l.until = l.until.Add(time.Duration(float64(n) / float64(l.bytesPerSecond) * float64(time.Second)))
	ahead := l.until.Sub(now) - time.Second/4
	if ahead <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
