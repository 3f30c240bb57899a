package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// quarantineName is the directory, within that of the database, which gets the
// damaged files as they were.
const quarantineName = "damaged"

// RepairReport is what Repair found and did.
type RepairReport struct {
	// Found is the report of the check before.
	Found *CheckReport
	// Actions are the changes, one sentence each.
	Actions []string
	// Quarantine is the directory with the files that were replaced or taken away,
	// as they were before: Damaged, those with damage and their hint files, and
	// Replaced, good ones that had to be written anew. It is empty, as both are, if
	// there are none.
	Quarantine        string
	Damaged, Replaced []string
}

// Repair makes a damaged database open again. It keeps every frame that is whole,
// also those behind the damage, and every good record of a merged frame: they are
// copied into a new file, and the damaged file is put aside under damaged/. A
// MANIFEST that cannot be read is made anew from the data files. What was in the
// lost bytes is lost: keys that were written there have an older value or are
// gone, keys that were deleted there may be back, and the report says, as far as
// it can be known, which. The database must not be open; without damage, nothing
// is changed.
func Repair(fsys FS, dir string, progress func(Progress)) (*RepairReport, error) {
	if fsys == nil {
		fsys = OSFS()
	}
	report, err := repair(fsys, dir, progress)
	if err != nil {
		return nil, errorf("engine: repair: %w", err)
	}
	return report, nil
}

func repair(fsys FS, dir string, progress func(Progress)) (report *RepairReport, err error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := &checker{fs: fsys, dir: dir, names: names, report: &CheckReport{}, fn: progress}
	r := &repairer{c: c, report: &RepairReport{Found: c.report}, aside: filepath.Join(dir, quarantineName)}
	c.keepOpen = true
	if err := c.run(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if c.report.Damaged() {
		err = r.run()
	}
	return r.report, errors.Join(err, c.close())
}

// repairer is one run of Repair.
type repairer struct {
	c      *checker
	report *RepairReport
	aside  string
	next   uint32 // number of the next new file
	gone   []string
}

func (r *repairer) did(format string, args ...any) {
	r.report.Actions = append(r.report.Actions, fmt.Sprintf(format, args...))
}

// run rewrites what is damaged. The rename of the new MANIFEST is the commit
// point: until then, all that was done is to make new files and second names.
func (r *repairer) run() error {
	c := r.c
	if c.uuid == [16]byte{} {
		c.uuid = randomUUID()
	}
	r.next = 1
	for _, name := range c.names {
		if n, _, ok := parseFileName(name); ok {
			r.next = max(r.next, n+1)
		}
	}
	if err := r.makeQuarantine(); err != nil {
		return err
	}
	// All files will be sealed, as after a Close: Open has nothing to recover.
	state := manifestState{files: map[uint32]fileMeta{}, counters: c.state.counters, hashSeed: c.state.hashSeed, clean: true}
	if !c.listed {
		state.hashSeed = randomUint64()
		state.counters.nextSpace = firstFreshSpace
	}
	if err := r.rebuild(&state); err != nil {
		return err
	}
	state.counters.nextFile = max(state.counters.nextFile, r.next)
	if err := r.writeManifest(&state); err != nil {
		return err
	}
	for _, name := range r.gone {
		if err := removeIfExists(c.fs, filepath.Join(c.dir, name)); err != nil {
			return err
		}
	}
	return c.fs.SyncDir(c.dir)
}

// rebuild puts into state the files as they will be: good immutable ones as they
// are, the good frames of all others as new ones.
func (r *repairer) rebuild(state *manifestState) error {
	c := r.c
	raise := func(seq uint64) {
		state.counters.nextSeq = max(state.counters.nextSeq, seq+1)
		state.counters.logEnd = max(state.counters.logEnd, seq+1)
	}
	for _, n := range slices.Sorted(maps.Keys(c.state.files)) {
		meta, found := c.state.files[n], c.results[n]
		if found == nil {
			r.did("%s is missing; it was taken out of the list, with all that it held", dataFileName(n))
			if err := r.putAside(hintFileName(n), true); err != nil {
				return err
			}
			continue
		}
		raise(found.maxSeq)
		if meta.sealed && !found.damaged {
			state.files[n] = meta
			continue
		}
		if err := errors.Join(r.putAside(dataFileName(n), found.damaged), r.putAside(hintFileName(n), found.damaged)); err != nil {
			return err
		}
		r.gone = append(r.gone, dataFileName(n), hintFileName(n))
		if found.records == 0 {
			r.did("%s holds no record that can be kept", dataFileName(n))
			continue
		}
		kept, err := r.salvage(found)
		if err != nil {
			return err
		}
		state.files[kept.number] = kept
		r.did("%s: the %d records that can be kept were copied to %s", dataFileName(n), found.records, dataFileName(kept.number))
	}
	return nil
}

// makeQuarantine makes the directory for damaged files, a new one each time.
func (r *repairer) makeQuarantine() error {
	for n := 1; ; n++ {
		if _, err := r.c.fs.List(r.aside); isNotExist(err) {
			break
		}
		r.aside = filepath.Join(r.c.dir, fmt.Sprintf("%s.%d", quarantineName, n))
	}
	return r.c.fs.MkdirAll(r.aside)
}

// putAside gives a file, if it is there, a second name in quarantine, or copies
// it there.
func (r *repairer) putAside(name string, damaged bool) error {
	from, to := filepath.Join(r.c.dir, name), filepath.Join(r.aside, name)
	err := r.c.fs.Link(from, to)
	if err != nil && !isNotExist(err) {
		err = copyFile(context.Background(), r.c.fs, from, to, nil)
	}
	if isNotExist(err) {
		return nil
	}
	r.report.Quarantine = r.aside
	if damaged {
		r.report.Damaged = append(r.report.Damaged, name)
	} else {
		r.report.Replaced = append(r.report.Replaced, name)
	}
	return errors.Join(err, r.c.fs.SyncDir(r.aside))
}

// salvage copies what can be kept of a file into a new immutable one.
func (r *repairer) salvage(found *fileCheck) (fileMeta, error) {
	c := r.c
	f, err := createDataFile(c.fs, c.dir, r.next, fileMerged, c.uuid, time.Now().UnixMilli())
	if err != nil {
		return fileMeta{}, err
	}
	r.next++
	end, err := copyFrames(f, found)
	if err != nil {
		return fileMeta{}, errors.Join(err, f.file.Close())
	}
	f.minSeq.Store(found.minSeq)
	f.maxSeq.Store(found.maxSeq)
	f.records.Store(found.records)
	f.tombstones.Store(found.tombstones)
	f.total.Store(found.recordBytes)
	f.tombBytes.Store(found.tombBytes)
	meta, err := f.seal(end, c.uuid)
	return meta, errors.Join(err, f.file.Close())
}

// copyFrames copies the good frames and runs of records of a file into f, whose
// salt they get.
func copyFrames(f *dataFile, found *fileCheck) (end int64, err error) {
	end = fileHeaderBytes
	add := func(payload []byte, base uint64) error {
		b := append(make([]byte, frameHeaderBytes, frameHeaderBytes+len(payload)), payload...)
		putFrameHeader(b, frameHeader{flags: frameMerged, payloadLen: uint32(len(payload)), baseSeq: base}, f.salted)
		if _, err := f.file.WriteAt(b, end); err != nil {
			return noSpaceError(err)
		}
		end += int64(len(b))
		return nil
	}
	err = found.eachKeptFrame(func(fr *frame) error { return add(fr.payload, fr.baseSeq) })
	return end, err
}

// eachKeptFrame calls fn for each good frame of a file, and for each run of records
// that can be kept of a damaged one, as a frame without flags.
func (r *fileCheck) eachKeptFrame(fn func(fr *frame) error) error {
	changed := func(at int64, reason string) error {
		return &CorruptError{File: r.file.name(), Offset: at, Reason: cmp.Or(reason, "it changed while it was read")}
	}
	for _, part := range r.good {
		_, reason, err := r.file.scanFrames(part.from, part.to, func(fr *frame) error {
			if _, err := fr.checkRecords(); err != nil {
				return err
			}
			return fn(fr)
		})
		if err != nil {
			return err
		}
		if reason != "" {
			return changed(part.from, reason)
		}
	}
	for _, run := range r.runs {
		fr := frame{frameHeader: frameHeader{baseSeq: run.base}, payload: make([]byte, run.to-run.from)}
		if err := readFull(r.file.file, fr.payload, run.from); err != nil {
			return err
		}
		if n, err := fr.checkRecords(); err != nil || uint64(n) != run.count {
			return changed(run.from, "")
		}
		if err := fn(&fr); err != nil {
			return err
		}
	}
	return nil
}

// writeManifest puts a new MANIFEST in place of the old one, which is kept.
func (r *repairer) writeManifest(state *manifestState) error {
	c := r.c
	if err := r.putAside(manifestName, !c.listed); err != nil {
		return err
	}
	if err := c.fs.SyncDir(c.dir); err != nil {
		return err
	}
	m := &manifest{fs: c.fs, dir: c.dir, uuid: c.uuid}
	m.header = fileHeader{magic: magicManifest, uuid: c.uuid, createdMs: time.Now().UnixMilli()}
	if err := m.rewriteLocked(state); err != nil {
		return errors.Join(err, m.close())
	}
	r.did("MANIFEST was written anew, with %d files", len(state.files))
	return m.close()
}
