package engine

import "cmp"

// This file answers one question and does one thing: is a record of an immutable
// file still the one that the keydir means, and if so, let the keydir mean the
// copy of it.

// recordVerdict is what a merge does with a record.
type recordVerdict uint8

const (
	recordDead    recordVerdict = 0 // nothing refers to it
	recordLive    recordVerdict = 1 // an entry refers to it
	recordKept    recordVerdict = 2 // nothing refers to it, but it hides older records
	recordDropped recordVerdict = 3 // a tombstone that hides nothing any more
)

// judgeRecord says what to do with a record of f. No sequence number below lowest is
// in a file outside of the merge.
func (db *DB) judgeRecord(run *lockRun, f *dataFile, it *mergeItem, lowest uint64) recordVerdict {
	r, seq, offset := &it.r, it.seq, it.offset
	switch r.kind {
	case kindPut, kindExpire:
		s := run.ofPlace(it.place)
		if c := s.findHinted(r.space, r.key, it.hint); c != nil && headIs(c, r.kind, f, seq, makeLocation(f.number, offset)) {
			return recordLive
		}
	case kindTombstone:
		s := run.ofPlace(it.place)
		if db.spaceExists(r.space) && s.findHinted(r.space, r.key, it.hint) == nil {
			return tombstoneVerdict(seq, lowest)
		}
	case kindElemPut, kindElemTombstone:
		c := run.collection(CollectionID(r.coll))
		if c == nil {
			return recordDead
		}
		e := c.find(r.key)
		switch {
		case r.kind == kindElemPut && e != nil && elementIs(e, f, seq, makeLocation(f.number, offset)):
			return recordLive
		case r.kind == kindElemTombstone && e == nil:
			return tombstoneVerdict(seq, lowest)
		}
	case kindSpaceMap:
		run.leave() // mapSeqOf takes a lock
		// A keyspace that this opening of the database does not have stays mapped.
		if int64(r.number) >= int64(len(db.spaces)) || db.mapSeqOf(int(r.number)) == seq {
			return recordKept
		}
	}
	return recordDead
}

// mapSeqOf returns the sequence number of the record that maps a number to its
// keyspace. It changes only while all shards are locked, so one is enough here.
func (db *DB) mapSeqOf(number int) uint64 {
	s := &db.shards[0]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return db.spaces[number].Load().mapSeq
}

// tombstoneVerdict is for a tombstone whose key does not exist.
func tombstoneVerdict(seq, lowest uint64) recordVerdict {
	if seq < lowest {
		return recordDropped
	}
	return recordKept
}

// headIs reports whether an entry refers to a record of its key: as the value,
// by location; as a value that the entry holds itself, or as an expiry, by
// sequence number and file, because after a merge that failed a record may be in
// two files.
func headIs(c *cell, kind recordKind, f *dataFile, seq uint64, at location) bool {
	if kind == kindExpire {
		return c.flags()&flagExpireRec != 0 && c.seq() == seq && c.recFile() == f.slot
	}
	if c.flags()&flagInline != 0 {
		return c.flags()&flagExpireRec == 0 && c.seq() == seq && c.recFile() == f.slot
	}
	return c.loc() == at
}

// elementIs is headIs for an element.
func elementIs(e *element, f *dataFile, seq uint64, at location) bool {
	if e.inline() {
		return e.seq == seq && e.recFile == f.slot
	}
	return e.loc == at
}

// findEntry returns the entry of a key that exists in the keyspace with an
// internal number, or nil. REQUIRES: the shard is locked.
func (s *shard) findEntry(space uint32, key []byte) *cell { return s.findHinted(space, key, 0) }

// findHinted is findEntry with a hint where the key is.
func (s *shard) findHinted(space uint32, key []byte, hint Hint) *cell {
	t := s.tableOf(space)
	if t == nil {
		return nil
	}
	slot, ok := t.hinted(hint, key)
	if !ok {
		slot, ok = t.index.get(key)
	}
	if !ok {
		return nil
	}
	if c := t.slots.cell(slot); c.flags()&flagGhost == 0 {
		return c
	}
	return nil
}

// spaceExists reports whether some number is mapped to a keyspace. REQUIRES: a
// shard is locked.
func (db *DB) spaceExists(id uint32) bool {
	for i := range db.spaces {
		if db.spaces[i].Load().id == id {
			return true
		}
	}
	return false
}

// moveEntries lets the entries that still refer to a file of from refer to the
// copies in to. It is enough that the entry of a record's key refers to one of
// those files: it can only have gone from there to the log since it was copied.
func (db *DB) moveEntries(to *dataFile, from map[*dataFile]bool) error {
	v := mover{db: db, to: to, from: from}
	end, reason, err := to.scanFrames(fileHeaderBytes, to.meta.dataEnd, func(f *frame) error {
		if _, err := f.checkRecords(); err != nil {
			return err
		}
		err := f.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
			if !v.batch.fits(size) {
				v.moveBatch()
			}
			at := offset - f.offset - frameHeaderBytes
			v.batch.add(r, f.payload[at:at+int64(size)], seq, offset)
			return nil
		})
		if v.batch.full() {
			v.moveBatch()
		}
		return err
	})
	if err != nil {
		return err
	}
	if reason != "" || end != to.meta.dataEnd {
		return &CorruptError{File: to.name(), Offset: end, Reason: cmp.Or(reason, "the data ends early")}
	}
	v.moveBatch()
	return nil
}

// mover is one pass over a merged file.
type mover struct {
	db    *DB
	to    *dataFile
	from  map[*dataFile]bool
	batch mergeBatch
}

// moveBatch moves the entries of the records that were read. No lock is held after it:
// what comes next may read the disk.
func (v *mover) moveBatch() {
	v.batch.eachByShard(v.db, true, v.record)
	v.batch.reset()
}

func (v *mover) record(run *lockRun, it *mergeItem) {
	r, size := &it.r, int64(len(it.raw))
	at := makeLocation(v.to.number, it.offset)
	switch r.kind {
	case kindPut, kindExpire:
		if c := run.ofPlace(it.place).findHinted(r.space, r.key, it.hint); c != nil {
			v.moveHead(c, r.kind, it.seq, at, size)
		}
	case kindElemPut:
		if c := run.collection(CollectionID(r.coll)); c != nil {
			if e := c.find(r.key); e != nil && e.seq == it.seq {
				v.moveElement(e, at, size)
			}
		}
	case kindSpaceMap:
		run.leave() // moveMapping takes a lock
		v.db.moveMapping(r.number, it.seq, v.from, v.to)
	case kindTombstone, kindElemTombstone:
		// No entry refers to it.
	}
}

// moveHead moves an entry to the copy of its put or expire record.
func (v *mover) moveHead(c *cell, kind recordKind, seq uint64, at location, size int64) {
	newest := c.flags()&flagExpireRec == 0 || kind == kindExpire
	if newest && c.seq() != seq || kind == kindExpire && c.flags()&flagExpireRec == 0 {
		return
	}
	files := v.db.files.Load()
	var old *dataFile
	if kind == kindPut && c.flags()&flagInline == 0 {
		old = files.get(c.loc().file())
	} else {
		old = files.bySlot(c.recFile())
	}
	if !v.from[old] {
		return
	}
	if kind == kindPut && c.flags()&flagInline == 0 {
		c.setLoc(at)
	}
	if newest {
		c.setRecFile(v.to.slot)
	}
	v.account(old, size)
}

// moveElement is moveHead for an element.
func (v *mover) moveElement(e *element, at location, size int64) {
	old := v.db.files.Load().bySlot(e.recFile)
	if !v.from[old] {
		return
	}
	if !e.inline() {
		e.loc = at
	}
	e.recFile = v.to.slot
	v.account(old, size)
}

// account moves the live bytes of a record.
func (v *mover) account(from *dataFile, size int64) {
	from.live.Add(-size)
	v.to.live.Add(size)
}
