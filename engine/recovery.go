package engine

import (
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Opening goes through these steps; each may be cut off by a crash and is then
// done again:
//
//  1. MANIFEST is read. Without one, the directory must hold no data: a new
//     database is made.
//  2. Every listed data file is opened and its header checked. One that is
//     missing is refused.
//  3. Log files that are not sealed are read in order. The log ends at the first
//     frame that is not valid, or not the next one: the rest is cut, if nothing
//     says that it was on the disk already.
//  4. Sealed files are loaded through their hints, unsealed ones as they are read.
//  5. Up to here nothing was changed, so a directory that is refused stays as it
//     is. Now MANIFEST is written anew, without its torn tail, and what step 3
//     read is cut, synced and sealed, so that nothing is served that a power cut
//     could still take back.
//  6. Files that are not listed are removed.
//  7. A new active file is begun.

// open does all of Open that happens under the lock of the directory.
func (db *DB) open() error {
	started := time.Now()
	opt := &db.opt
	names, err := opt.FS.List(db.dir)
	if err != nil {
		return err
	}
	m, cut, err := openManifest(opt.FS, db.dir, false)
	unclean := err == nil && !m.state.clean
	switch {
	case isNotExist(err):
		if m, err = db.createManifest(names); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	db.manifest = m
	if cut > 0 {
		opt.Logger.Warn("cut the torn tail of MANIFEST", "bytes", cut)
	}
	db.hashSeed = m.state.hashSeed
	db.raiseCounters(m.state.counters, names)
	if err := db.openFiles(); err != nil {
		return err
	}
	ld, tails, err := db.load()
	if err != nil {
		return err
	}
	unlisted, err := db.findUnlisted(names)
	if err != nil {
		return err
	}
	// Nothing on the disk was changed so far: a directory that is refused stays as
	// it is.
	if err := db.roomToOpen(tails); err != nil {
		return err
	}
	if err := m.renew(); err != nil {
		return err
	}
	sealing := time.Now()
	if err := db.sealTails(tails); err != nil {
		return err
	}
	if unclean {
		db.logRecovery(tails, ld.replayTook+time.Since(sealing))
	}
	if err := db.removeUnlisted(unlisted); err != nil {
		return err
	}
	if err := db.log.begin(); err != nil {
		return err
	}
	db.loadTime = time.Since(started)
	opt.Logger.Info("database is open", "dir", db.dir, "files", len(tails)+len(db.manifest.snapshotState().files),
		"records", ld.progress.keys.Load(), "took", db.loadTime)
	db.start(ld.hintlessFiles)
	return nil
}

// logRecovery says what a database that was not closed took to be whole again, and
// what of it is gone: nothing that was synced, and, if only the process ended, nothing
// that was acknowledged.
func (db *DB) logRecovery(tails []logTail, took time.Duration) {
	var records, read, cut int64
	for _, t := range tails {
		records += t.file.records.Load()
		read += t.dataEnd - fileHeaderBytes
		cut += t.cut
	}
	db.opt.Logger.Warn("the database was not closed when its process last ended; recovered the end of the log",
		"files", len(tails), "records", records, "bytes", read, "cut_bytes", cut, "took", took)
}

// createManifest makes a new database, if the directory has no old one.
func (db *DB) createManifest(names []string) (*manifest, error) {
	if slices.Contains(names, unfinishedName) {
		return nil, ErrUnfinishedBackup
	}
	for _, name := range names {
		if _, suffix, ok := parseFileName(name); ok && suffix == dataSuffix {
			return nil, &CorruptError{File: manifestName, Offset: 0, Reason: "it is missing, but " + name + " exists"}
		}
	}
	return createManifest(db.opt.FS, db.dir, db.opt.NowMs())
}

// raiseCounters takes over the numbers to be given out next. File numbers go on
// after every name in the directory, listed or not.
func (db *DB) raiseCounters(c counters, names []string) {
	for _, name := range names {
		if n, _, ok := parseFileName(name); ok {
			c.nextFile = max(c.nextFile, n+1)
		}
	}
	for n := range db.manifest.state.files {
		c.nextFile = max(c.nextFile, n+1)
	}
	db.nextFile.Store(max(c.nextFile, 1))
	db.nextColl.Store(max(c.nextColl, 1))
	db.nextSpace.Store(max(c.nextSpace, firstFreshSpace))
	db.log.nextSeq = max(c.nextSeq, 1)
}

// openFiles opens every data file of the MANIFEST.
func (db *DB) openFiles() error {
	list := db.manifest.snapshotState().files
	var files []*dataFile
	for _, n := range slices.Sorted(maps.Keys(list)) {
		f, err := openDataFile(db.opt.FS, db.dir, list[n], db.manifest.uuid, false)
		if isNotExist(err) {
			err = &CorruptError{File: dataFileName(n), Offset: 0, Reason: "MANIFEST lists it, but it is missing"}
		}
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f.release())
			}
			return err
		}
		files = append(files, f)
	}
	db.files.Store(db.files.Load().with(files, nil))
	return nil
}

// replay reads a log file that was not sealed, giving each good frame to p.
func (db *DB) replay(p *feeder, f *loadFile, next uint64) (t logTail, after uint64, gap bool, err error) {
	p.begin(f)
	defer p.end()
	t, after, gap, err = db.tailReader().replay(f.dataFile, next, func(fr *frame, n int) error {
		countFrame(f.dataFile, fr, n)
		p.progress(fr.end()-fr.offset, int64(n))
		return p.frame(fr)
	})
	if err == nil {
		f.flushed.Store(t.dataEnd)
	}
	return t, after, gap, err
}

// load fills the keydir.
func (db *DB) load() (ld *loader, tails []logTail, err error) {
	unsound := map[uint32]bool{}
	for {
		ld = newLoader(db, unsound)
		tails, err = db.loadFiles(ld)
		bad, is := errors.AsType[*unsoundHintError](err)
		if !is || unsound[bad.number] {
			break
		}
		// It has the right checksums, so it is as it was written: this is a bug, or
		// somebody made it so. What it said is loaded already: begin again without it.
		db.opt.Logger.Error("a hint file cannot be used", "error", err)
		unsound[bad.number] = true
		db.colls.init()
	}
	if err == nil {
		err = ld.finish()
	}
	return ld, tails, err
}

// loadFiles gives every record of the data files to ld: sealed files in parallel,
// then the others in order.
func (db *DB) loadFiles(ld *loader) (tails []logTail, err error) {
	var sealed, open []*loadFile
	ld.progress.begin("load", 0, db.opt.Progress)
	for _, d := range db.files.Load().all() {
		f := &loadFile{dataFile: d, lowest: d.meta.minSeq}
		ld.files = append(ld.files, f)
		if f.meta.sealed {
			sealed = append(sealed, f)
			ld.progress.total += f.meta.dataEnd
		} else {
			open = append(open, f)
			size, err := f.file.Size()
			if err != nil {
				return nil, err
			}
			if f.lowest, err = f.firstSeq(size); err != nil {
				return nil, err
			}
			ld.progress.total += size
		}
		if !db.opt.NoMmap && f.meta.sealed && f.mapped.Load() == nil {
			if err := f.mapFile(f.meta.size); err != nil {
				return nil, err
			}
		}
	}
	err = ld.loadFiles(sealed, func(p *feeder) error {
		started := time.Now()
		tails, err = db.replayAll(p, open, db.manifest.state.counters.logEnd)
		ld.replayTook = time.Since(started)
		return err
	})
	return tails, err
}

// firstSeq returns the sequence number with which a log file of size bytes begins;
// the highest there is if it has no frame.
func (d *dataFile) firstSeq(size int64) (uint64, error) {
	r := blockReader{src: d.file, limit: min(size, fileHeaderBytes+frameHeaderBytes)}
	b, err := r.at(min(size, fileHeaderBytes), frameHeaderBytes)
	if err != nil {
		return 0, err
	}
	if h, reason := decodeFrameHeader(b, d.salted); reason == "" {
		return h.baseSeq, nil
	}
	return 1<<64 - 1, nil
}

// replayAll reads the log files that were not sealed.
func (db *DB) replayAll(p *feeder, files []*loadFile, next uint64) ([]logTail, error) {
	tails := make([]*dataFile, len(files))
	for i, f := range files {
		tails[i] = f.dataFile
	}
	return db.tailReader().replayAll(tails, next, func(i int, next uint64) (logTail, uint64, bool, error) {
		return db.replay(p, files[i], next)
	})
}

func (db *DB) tailReader() tailReader { return tailReader{db.opt.FS, db.dir, db.manifest.uuid} }

// sealTails cuts, syncs and seals the log files that were not sealed; those that
// hold nothing leave the list. One edit of the MANIFEST does it for all: if only
// some were sealed, the next Open would miss the gap between them.
func (db *DB) sealTails(tails []logTail) error {
	var e manifestEdit
	var sealed, empty []*dataFile
	for _, t := range tails {
		f := t.file
		if t.cut > 0 {
			db.opt.Logger.Warn("cut a torn tail", "file", f.name(), "offset", t.dataEnd, "bytes", t.cut, "reason", t.reason)
		}
		if t.dataEnd == fileHeaderBytes {
			if err := f.empty(); err != nil {
				return err
			}
			e.remove = append(e.remove, f.number)
			empty = append(empty, f)
			continue
		}
		if err := f.rewrite(t.known, t.dataEnd); err != nil {
			return err
		}
		meta, err := f.seal(t.dataEnd, db.manifest.uuid)
		if err != nil {
			return err
		}
		e.seal = append(e.seal, meta)
		sealed = append(sealed, f)
	}
	if len(tails) == 0 {
		return nil
	}
	db.filesMu.Lock()
	err := db.changeFilesLocked(&e, nil, empty)
	for i, f := range sealed {
		f.setSealed(e.seal[i])
	}
	db.filesMu.Unlock()
	if err != nil {
		return err
	}
	for _, f := range empty {
		f.removed.Store(true)
		if err := f.release(); err != nil {
			return err
		}
	}
	for _, f := range sealed {
		if err := db.adoptSealed(f); err != nil {
			return err
		}
	}
	return nil
}

// adoptSealed maps a file that was just sealed, and sees that it gets a hint file, or
// is merged.
func (db *DB) adoptSealed(f *dataFile) error {
	db.hints.add(f, time.Now())
	db.merge.wake()
	if db.opt.NoMmap || f.mapped.Load() != nil {
		return nil
	}
	return f.mapFile(f.meta.size)
}

// rewrite writes the bytes from from to end again as they are and syncs them.
// After a sync that failed they may be in the system's memory only, and marked as
// written; another sync would do nothing for them.
func (d *dataFile) rewrite(from, end int64) error {
	r := blockReader{src: d.file, limit: end}
	for from < end {
		b, err := r.at(from, blockBytes)
		if err != nil {
			return err
		}
		if _, err := d.file.WriteAt(b, from); err != nil {
			return errorf("engine: write %s again: %w", d.name(), err)
		}
		from += int64(len(b))
	}
	if err := d.file.Sync(); err != nil {
		return errorf("engine: write %s again: %w", d.name(), err)
	}
	return nil
}

// empty cuts a log file back to its header. It comes before the file leaves the
// list, because a log file with frames that is not listed is refused.
func (d *dataFile) empty() error {
	d.room.Lock()
	defer d.room.Unlock()
	if err := d.file.Truncate(fileHeaderBytes); err != nil {
		return errorf("engine: empty %s: %w", d.name(), err)
	}
	if err := d.file.Sync(); err != nil {
		return errorf("engine: empty %s: %w", d.name(), err)
	}
	return nil
}

// dropEmptyFile takes a log file without frames that count out of the list and
// removes it.
func (db *DB) dropEmptyFile(f *dataFile) error {
	if err := f.empty(); err != nil {
		return err
	}
	db.filesMu.Lock()
	err := db.changeFilesLocked(&manifestEdit{remove: []uint32{f.number}}, nil, []*dataFile{f})
	db.filesMu.Unlock()
	if err != nil {
		return err
	}
	f.removed.Store(true)
	return f.release()
}

// sealFile makes an immutable file of a log file whose frames end at dataEnd. The
// commit point is the edit of the MANIFEST.
func (db *DB) sealFile(f *dataFile, dataEnd int64) error {
	meta, err := f.seal(dataEnd, db.manifest.uuid)
	if err != nil {
		return err
	}
	db.filesMu.Lock()
	err = db.changeFilesLocked(&manifestEdit{seal: []fileMeta{meta}}, nil, nil)
	if err == nil {
		f.setSealed(meta)
	}
	db.filesMu.Unlock()
	if err != nil {
		return err
	}
	return db.adoptSealed(f)
}

// findUnlisted returns the files of ours that the MANIFEST does not list: what a
// crash left of a merge, a rotation or a rewrite. A log file among them that
// holds frames is refused: a log file is listed before its first frame.
func (db *DB) findUnlisted(names []string) (unlisted []string, err error) {
	listed := db.manifest.snapshotState().files
	for _, name := range names {
		number, suffix, ok := parseFileName(name)
		tmp := strings.HasSuffix(name, tmpSuffix) && (ok || name == manifestTmpName) || name == unfinishedName
		if !ok && !tmp {
			continue // not ours
		}
		if _, isListed := listed[number]; isListed && !tmp {
			continue
		}
		if suffix == dataSuffix {
			if err := db.checkUnlisted(filepath.Join(db.dir, name), name); err != nil {
				return nil, err
			}
		}
		unlisted = append(unlisted, name)
	}
	return unlisted, nil
}

// removeUnlisted removes what findUnlisted found, once the MANIFEST is good.
func (db *DB) removeUnlisted(names []string) error {
	for _, name := range names {
		if err := removeIfExists(db.opt.FS, filepath.Join(db.dir, name)); err != nil {
			return err
		}
		db.opt.Logger.Info("removed a file that MANIFEST does not list", "file", name)
	}
	if len(names) == 0 {
		return nil
	}
	return db.opt.FS.SyncDir(db.dir)
}

// checkUnlisted refuses an unlisted log file of this database that has frames.
func (db *DB) checkUnlisted(path, name string) error {
	f, err := db.opt.FS.Open(path, true)
	if isNotExist(err) {
		return nil // dropped since the directory was listed
	}
	if err != nil {
		return err
	}
	b := make([]byte, fileHeaderBytes+frameHeaderBytes)
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil // it is short, so it has no frame
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	h, err := decodeFileHeader(b[:min(n, fileHeaderBytes)], name, magicData)
	if err != nil || h.kind != fileLog || h.uuid != db.manifest.uuid || n < len(b) {
		if errors.Is(err, ErrVersion) {
			return err
		}
		return nil
	}
	fr, reason := decodeFrameHeader(b[fileHeaderBytes:], saltCRC(h.salt))
	if reason != "" || fr.baseSeq < db.manifest.state.counters.nextSeq {
		return nil // an old one, which a merge took out of the list
	}
	return &CorruptError{File: name, Offset: fileHeaderBytes, Reason: "it holds records, but MANIFEST does not list it"}
}
