package engine

import (
	"errors"
	"path/filepath"
	"slices"
)

// fileSet is an immutable list of the data files. Readers load it without a
// lock: a location that they found under a shard lock names a file in it,
// because merge takes a file out of the list only after no entry refers to it.
type fileSet struct {
	first    uint32      // number of byNumber[0]
	byNumber []*dataFile // nil: no such file
	slots    []*dataFile // by dataFile.slot; nil: free
}

// get returns the file of a number, or nil.
func (s *fileSet) get(number uint32) *dataFile {
	i := number - s.first
	if uint64(i) >= uint64(len(s.byNumber)) {
		return nil
	}
	return s.byNumber[i]
}

// bySlot returns the file in a slot, or nil.
func (s *fileSet) bySlot(slot uint16) *dataFile {
	if int(slot) >= len(s.slots) {
		return nil
	}
	return s.slots[slot]
}

// all returns the files in ascending order of their numbers.
func (s *fileSet) all() []*dataFile {
	files := make([]*dataFile, 0, len(s.slots))
	for _, f := range s.byNumber {
		if f != nil {
			files = append(files, f)
		}
	}
	return files
}

// with returns the set with files added, each given a slot, and removed taken
// out.
func (s *fileSet) with(add []*dataFile, remove []*dataFile) *fileSet {
	t := &fileSet{slots: slices.Clone(s.slots)}
	files := s.all()
	for _, f := range remove {
		if i := slices.Index(files, f); i >= 0 {
			files = slices.Delete(files, i, i+1)
		}
		if int(f.slot) < len(t.slots) {
			t.slots[f.slot] = nil
		}
	}
	for _, f := range add {
		files = append(files, f)
		slot := slices.Index(t.slots, nil)
		if slot < 0 && len(t.slots) < unknownFileSlot {
			t.slots = append(t.slots, nil)
			slot = len(t.slots) - 1
		}
		if slot >= 0 {
			t.slots[slot] = f
			f.slot = uint16(slot)
		}
	}
	slices.SortFunc(files, func(a, b *dataFile) int { return int(int64(a.number) - int64(b.number)) })
	if len(files) > 0 {
		t.first = files[0].number
		t.byNumber = make([]*dataFile, files[len(files)-1].number-t.first+1)
		for _, f := range files {
			t.byNumber[f.number-t.first] = f
		}
	}
	return t
}

// changeFiles commits a change of the list of data files: first in the MANIFEST,
// which is the commit point, then in memory. add and remove must be what e says.
// After an error the MANIFEST may say either: no file may be unlinked.
// REQUIRES: filesMu is held.
func (db *DB) changeFilesLocked(e *manifestEdit, add, remove []*dataFile) error {
	c := db.countersNow()
	e.counters = &c
	if err := db.manifest.edit(e); err != nil {
		return err
	}
	db.files.Store(db.files.Load().with(add, remove))
	return nil
}

// takeFileNumber returns a number that no file ever had.
func (db *DB) takeFileNumber() (uint32, error) {
	n := db.nextFile.Add(1)
	if n == 0 || n >= provisionalFile {
		return 0, errorf("%w: no file numbers are left", ErrTooLarge)
	}
	return n - 1, nil
}

// giveFileNumberBack makes up for a takeFileNumber after which no file was made, if
// nobody took a later number.
func (db *DB) giveFileNumberBack(number uint32) {
	f, err := db.opt.FS.Open(filepath.Join(db.dir, dataFileName(number)), true)
	if isNotExist(err) {
		db.nextFile.CompareAndSwap(number+1, number)
		return
	}
	if err == nil {
		// It could not be removed; the next Open does that. Its number is used.
		if err := f.Close(); err != nil {
			db.log.warn("close what is left of a data file", err)
		}
	}
}

// newLogFile makes an empty log file that is in the MANIFEST and in the set.
func (db *DB) newLogFile() (*dataFile, error) {
	number, err := db.takeFileNumber()
	if err != nil {
		return nil, err
	}
	f, err := createDataFile(db.opt.FS, db.dir, number, fileLog, db.manifest.uuid, db.opt.NowMs())
	if err != nil {
		db.giveFileNumberBack(number)
		return nil, err
	}
	if !db.opt.NoMmap {
		if err := f.mapFile(db.opt.DataFileBytes); err != nil {
			db.log.warn("map the next data file", err)
		}
	}
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	clean := false
	e := &manifestEdit{add: []fileMeta{f.meta}, clean: &clean}
	if err := db.changeFilesLocked(e, []*dataFile{f}, nil); err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}
