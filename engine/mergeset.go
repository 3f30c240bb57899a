package engine

import (
	"context"
	"math"
	"slices"
)

// A merge has to know of each record of its files whether the keydir refers to it.
// To look up its key or subkey is a chain of cache misses; and most of the records
// are dead, or else the file would not be merged. So the merge asks the other way
// round, if the files that it merges have a fair share of all records: it walks over
// the whole keydir once, in the order in which that lies in memory, and notes the
// sequence numbers of the records that entries and elements refer to in those files.
// That takes a few nanoseconds for each.
//
// What was dead then stays dead. A new reference to an old record comes up only where
// a transaction is rolled back, and its shards are locked from its write until then;
// or where a merge moves entries, and there is one merge. A key or a collection that
// goes to another shard meanwhile cannot be missed either: RENAME writes the key's
// record anew, and collections are found by their registry. Entries stay in their
// cells while the walk is between two pieces, but a rollback moves elements: see
// addCollection. What was referred to may be dead when the merge comes to it, and is
// looked up.
type liveSet struct {
	bySlot []*liveBits // by dataFile.slot; nil: nothing is known of this file
}

// liveBits has a bit for each sequence number of a file.
type liveBits struct {
	first uint64
	bits  []uint64
	// morePuts: entries refer to puts in the file by their locations, without knowing
	// their numbers. A head put without a bit may be one of them.
	morePuts bool
}

const (
	// liveSetShare is how many records there may be in all files for each one in the
	// files to merge. With more, to look those up costs less than to walk over all.
	liveSetShare = 16
	// liveSetSpread is how many sequence numbers a file may span for each of its
	// records. A log file has one for each; merged files may span the whole log.
	liveSetSpread = 32
	// liveSetPiece is how many entries or elements are looked at under one lock, if
	// Options do not say otherwise.
	liveSetPiece = 4096
)

// findLive returns the records of the group that the keydir refers to, or nil if it
// is better to look them up one by one.
func (db *DB) findLive(ctx context.Context, group []*dataFile) (*liveSet, error) {
	files := db.files.Load()
	var all, these int64
	for _, f := range files.all() {
		all += f.records.Load()
	}
	s := &liveSet{bySlot: make([]*liveBits, len(files.slots))}
	for _, f := range group {
		records, first := f.records.Load(), f.minSeq.Load()
		span := f.maxSeq.Load() - first + 1
		if int(f.slot) >= len(s.bySlot) || records == 0 || span/liveSetSpread > uint64(records) {
			continue
		}
		these += records
		s.bySlot[f.slot] = &liveBits{first: first, bits: make([]uint64, span/64+1)}
	}
	if these == 0 || all/liveSetShare > these {
		return nil, nil
	}
	for i := range db.shards {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		s.addShard(db, &db.shards[i], files)
	}
	s.addCollections(db)
	return s, context.Cause(ctx)
}

// addShard notes what the entries of a shard refer to.
func (s *liveSet) addShard(db *DB, sh *shard, files *fileSet) {
	sh.mu.RLock()
	tables := slices.Clone(sh.tables)
	sh.mu.RUnlock()
	for _, t := range tables {
		for next, more := 0, t != nil; more; {
			sh.mu.RLock()
			// A table that was cleared since is the reaper's.
			if more = slices.Contains(sh.tables, t); more {
				next, more = t.slots.eachFrom(next, db.opt.liveSetPiece, func(c *cell) { s.addHead(c, files) })
			}
			sh.mu.RUnlock()
			if more {
				db.merge.at(stepPiece)
			}
		}
	}
}

// addHead notes the records that an entry refers to, which are those of headIs.
func (s *liveSet) addHead(c *cell, files *fileSet) {
	s.add(c.recFile(), c.seq())
	if flags := c.flags(); flags&flagExpireRec != 0 && flags&flagInline == 0 {
		if f := files.get(c.loc().file()); f != nil {
			if b := s.of(f); b != nil {
				b.morePuts = true
			}
		}
	}
}

// addCollections notes what the elements of all collections refer to. Those that are
// made meanwhile have no old records.
func (s *liveSet) addCollections(db *DB) {
	run := lockRun{db: db}
	for n := range db.colls.numbers() {
		if c := db.colls.at(n); c != nil {
			s.addCollection(&run, c)
		}
	}
}

// addCollection notes what the elements of a collection refer to, if it still lives.
// A rollback between two pieces may have moved elements to where the walk was before:
// then it begins again, and keeps the lock until it is done.
func (s *liveSet) addCollection(run *lockRun, c *Collection) {
	note := func(e *element) { s.add(e.recFile, e.seq) }
	next, piece, restored := 0, run.db.opt.liveSetPiece, uint32(0)
	for more := true; more; {
		if run.collection(c.id) != c {
			break
		}
		switch {
		case next == 0:
			restored = c.restored
		case c.restored != restored:
			next, piece = 0, math.MaxInt
		}
		next, more = c.elems.eachFrom(next, piece, note)
		run.leave()
		if more {
			run.db.merge.at(stepPiece)
		}
	}
	run.leave()
}

// add notes a record.
func (s *liveSet) add(slot uint16, seq uint64) {
	if int(slot) >= len(s.bySlot) || s.bySlot[slot] == nil {
		return
	}
	b := s.bySlot[slot]
	if i := seq - b.first; i/64 < uint64(len(b.bits)) {
		b.bits[i/64] |= 1 << (i % 64)
	}
}

// of returns what is known of a file, or nil.
func (s *liveSet) of(f *dataFile) *liveBits {
	if s == nil || int(f.slot) >= len(s.bySlot) {
		return nil
	}
	return s.bySlot[f.slot]
}

// dead reports whether a record is dead for certain, and needs not be kept. A nil set
// knows of none.
func (b *liveBits) dead(kind recordKind, seq uint64) bool {
	if b == nil {
		return false
	}
	switch kind {
	case kindPut:
		if b.morePuts {
			return false
		}
	case kindExpire, kindElemPut:
	case kindTombstone, kindElemTombstone, kindSpaceMap:
		return false
	}
	i := seq - b.first
	return i/64 < uint64(len(b.bits)) && b.bits[i/64]&(1<<(i%64)) == 0
}

// none reports whether the keydir refers to nothing in the file.
func (b *liveBits) none() bool {
	return b != nil && !b.morePuts && !slices.ContainsFunc(b.bits, func(w uint64) bool { return w != 0 })
}

// nothingToCopy reports whether a merge can give up a file without reading it. No
// sequence number below lowest is in a file outside of the merge.
func (db *DB) nothingToCopy(f *dataFile, b *liveBits, lowest uint64) bool {
	return b.none() && (f.tombstones.Load() == 0 || f.maxSeq.Load() < lowest) && !db.hasMapping(f)
}

// hasMapping reports whether the record that maps a number to its keyspace may be in f.
func (db *DB) hasMapping(f *dataFile) bool {
	if db.strayMaps {
		return true
	}
	s := &db.shards[0] // mappings change with all shards locked
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range db.spaces {
		if sp := db.spaces[i].Load(); sp.mapSeq != 0 && sp.mapFile == f.slot {
			return true
		}
	}
	return false
}
