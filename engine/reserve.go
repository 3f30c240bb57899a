package engine

import (
	"errors"
	"path/filepath"
	"sync"
)

// On a full disk the way out is to delete keys and to merge. Deleting has room
// in the active file; a merge has it from RESERVE, a file of nothing but reserved
// room, which is removed when a merge finds none, and made again when there is
// plenty. So a merge can always take a file whose live records fit in there, and
// that gives back the room for the next.
const (
	reserveName = "RESERVE"
	// mergeReserveBytes is the length of RESERVE, if data files are not small.
	mergeReserveBytes = 16 << 20
)

// mergeReserve is the state of RESERVE.
type mergeReserve struct {
	mu    sync.Mutex // guards following
	bytes int64      // its length, 0 if there is none: less than reserveSize if room was cut off it
}

func (db *DB) reserveSize() int64 { return min(mergeReserveBytes, db.opt.DataFileBytes/4) }

// keepReserve makes RESERVE if there is none, or a shorter one, and the disk has plenty
// of room. Without it only a merge on a full disk is more likely to fail, so an error is
// but a line in the log.
func (db *DB) keepReserve() {
	r := &db.merge.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes == db.reserveSize() {
		return
	}
	bytes, err := db.makeReserve()
	if err != nil && !isNoSpace(err) {
		db.opt.Logger.Warn("reserve room for merges", "error", err)
	}
	r.bytes = bytes
}

// makeReserve returns how long RESERVE is; 0: there is none.
func (db *DB) makeReserve() (bytes int64, err error) {
	fs, name, size := db.opt.FS, filepath.Join(db.dir, reserveName), db.reserveSize()
	room, _, err := db.mergeRoom()
	if err != nil {
		return 0, err
	}
	if f, err := fs.Open(name, true); err == nil {
		have, sizeErr := f.Size()
		if err := f.Close(); err != nil || sizeErr == nil && (have == size || have < size && room < 4*size) {
			return have, err
		}
		if err := fs.Remove(name); err != nil {
			return 0, err
		}
	}
	if room < 4*size {
		return 0, nil
	}
	f, err := fs.Create(name)
	if err != nil {
		return 0, err
	}
	db.disk.claim(size, true)
	err = f.Preallocate(size)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		db.disk.settle(size, 0)
		// Half a reserve would pass for a whole one only in its length.
		if removeErr := fs.Remove(name); removeErr != nil {
			db.opt.Logger.Warn("remove what could not be reserved", "error", removeErr)
		}
		return 0, err
	}
	db.disk.settle(size, size)
	return size, nil
}

// roomToOpen makes room if the disk is so full that Open could not write a
// MANIFEST and begin a data file: it gives up the room that was reserved behind the
// end of the log, of which nothing but zeros is cut here, and as much of RESERVE as it
// takes, or all of it if that is more than half.
func (db *DB) roomToOpen(tails []logTail) error {
	free, err := db.opt.FS.FreeBytes(db.dir)
	if err != nil || free >= db.reserveSize()/2 {
		return err
	}
	for _, t := range tails {
		if t.cut > 0 {
			continue
		}
		if err := t.file.file.Truncate(t.dataEnd); err != nil {
			return err
		}
	}
	if free, err = db.opt.FS.FreeBytes(db.dir); err != nil {
		return err
	}
	need := db.reserveSize()/8 + fileHeaderBytes + db.log.reserve() + footerBytes
	if free >= need {
		return nil
	}
	name := filepath.Join(db.dir, reserveName)
	f, err := db.opt.FS.Open(name, false)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	left, err := f.Size()
	if left -= need - free; err == nil && left >= db.reserveSize()/2 {
		return errors.Join(f.Truncate(left), f.Close())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return removeIfExists(db.opt.FS, name)
}

// reserveLeft returns the length of RESERVE, 0 if there is none.
func (db *DB) reserveLeft() int64 {
	r := &db.merge.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// createFromReserve is createDataFile for a merged file, in the room of RESERVE.
// The file itself gets the new name, for room that was merely freed could be
// taken by somebody else.
func (db *DB) createFromReserve(number uint32) (*dataFile, error) {
	r := &db.merge.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes = 0
	fs, name := db.opt.FS, filepath.Join(db.dir, dataFileName(number))
	if err := fs.Rename(filepath.Join(db.dir, reserveName), name); err != nil {
		return nil, err
	}
	f, err := fs.Open(name, false)
	if err != nil {
		return nil, err
	}
	h := fileHeader{
		magic: magicData, number: number, uuid: db.manifest.uuid, salt: randomUint32(),
		kind: fileMerged, createdMs: db.opt.NowMs(),
	}
	if _, err = f.WriteAt(h.encode(), 0); err == nil {
		err = errors.Join(f.Sync(), fs.SyncDir(db.dir))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), fs.Remove(name))
	}
	d := newDataFile(fs, db.dir, f, fileMeta{number: number, kind: fileMerged, salt: h.salt, createdMs: h.createdMs})
	d.flushed.Store(fileHeaderBytes)
	return d, nil
}
