package engine

import (
	"errors"
	"hash/crc32"
	"path/filepath"
)

// hintPieceBytes is how much of a hint file is written at a time. A whole one may
// have a third of the size of its data file: too much to be held in memory beside
// the keydir.
const hintPieceBytes = 256 << 10

// hintWriter writes a hint file front to back, in pieces.
type hintWriter struct {
	file    File
	disk    *diskLimit
	meta    *fileMeta
	entries hintEncoder // with the bytes that are not written, at first those of the header
	end     int64       // of what is written
	crc     uint32      // of the entries that are
}

func newHintWriter(file File, disk *diskLimit, meta *fileMeta, uuid [16]byte) *hintWriter {
	w := &hintWriter{file: file, disk: disk, meta: meta, crc: saltCRC(meta.salt)}
	w.entries.b = append(make([]byte, 0, hintPieceBytes+hintPieceBytes/16), hintHeader(meta, uuid)...)
	return w
}

// add adds the entry of a record.
func (w *hintWriter) add(r *record, seq uint64, offset int64) error {
	w.entries.add(r, seq, offset)
	if len(w.entries.b) < hintPieceBytes {
		return nil
	}
	return w.write()
}

// write writes the entries that are not written.
func (w *hintWriter) write() error {
	w.sum()
	return w.writeBuffer()
}

// finish writes the rest, with the trailer, and syncs the file.
func (w *hintWriter) finish() error {
	w.sum()
	w.entries.b = appendHintTrailer(w.entries.b, w.meta, w.entries.entries, w.crc)
	if err := w.writeBuffer(); err != nil {
		return err
	}
	return w.file.Sync()
}

// sum takes the entries that are not written into the checksum. The header, which is
// the first in the file, has one of its own.
func (w *hintWriter) sum() {
	w.crc = crc32.Update(w.crc, castagnoli, w.entries.b[max(fileHeaderBytes-w.end, 0):])
}

// writeBuffer writes what is in memory, if the limit on disk use has room for it.
func (w *hintWriter) writeBuffer() error {
	n := int64(len(w.entries.b))
	if !w.disk.claim(n, false) {
		return ErrDiskLimit
	}
	if _, err := w.file.WriteAt(w.entries.b, w.end); err != nil {
		w.disk.settle(n, 0)
		return err
	}
	w.disk.settle(n, n)
	w.end += n
	w.entries.b = w.entries.b[:0]
	return nil
}

// makeHint makes the hint file of an immutable file, if it can: without one the next
// Open reads the data file instead, so a failure is but a line in the log. That there is
// no room, on the disk or below the limit on its use, is said once; fillHints makes up
// for it.
func (db *DB) makeHint(f *dataFile) {
	err := db.writeHint(f)
	f.hintless.Store(err != nil)
	noRoom := errors.Is(err, ErrDiskLimit) || errors.Is(err, ErrNoSpace) || isNoSpace(err)
	switch {
	case err == nil:
	case !noRoom:
		db.opt.Logger.Warn("write a hint file", "file", f.name(), "error", err)
	case !db.disk.hintless.Swap(true):
		db.opt.Logger.Warn("there is no room for hint files; a start reads data files instead, which takes longer",
			"file", f.name(), "error", err)
	}
}

// fillHints makes the hint files that could not be written, up to the first that still
// cannot. A merge calls it, which makes room. REQUIRES: merge.running is held.
func (db *DB) fillHints() {
	db.disk.look(0)
	for _, f := range db.files.Load().all() {
		if f.hintless.Load() {
			if db.makeHint(f); f.hintless.Load() {
				return
			}
		}
	}
	db.disk.hintless.Store(false)
}

// writeHint makes the hint file of an immutable file, by reading that once more.
// The name appears by a rename, so the file is whole if it is there; if it is not,
// the next Open reads the data file instead.
func (db *DB) writeHint(f *dataFile) error {
	if db.isTight() {
		return ErrNoSpace // what room there is, merges need
	}
	name := filepath.Join(db.dir, hintFileName(f.number))
	if err := db.writeHintTo(name+tmpSuffix, f); err != nil {
		return err
	}
	if err := db.opt.FS.Rename(name+tmpSuffix, name); err != nil {
		return err
	}
	return db.opt.FS.SyncDir(db.dir)
}

// writeHintTo makes the hint file of f with a temporary name. One of that name is
// what a crash left behind. After an error there is none.
func (db *DB) writeHintTo(name string, f *dataFile) (err error) {
	fs := db.opt.FS
	if err := removeIfExists(fs, name); err != nil {
		return err
	}
	out, err := fs.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, fs.Remove(name))
		}
	}()
	meta := f.meta
	w := newHintWriter(out, &db.disk, &meta, db.manifest.uuid)
	end, reason, err := f.scanFrames(fileHeaderBytes, meta.dataEnd, func(fr *frame) error {
		if _, err := fr.checkRecords(); err != nil {
			return err
		}
		return fr.eachRecord(func(r *record, seq uint64, offset int64, _ int) error {
			return w.add(r, seq, offset)
		})
	})
	if err != nil {
		return err
	}
	if reason != "" {
		return &CorruptError{File: f.name(), Offset: end, Reason: reason}
	}
	return w.finish()
}
