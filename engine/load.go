package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// loader fills the keydir from the records of the data files, which may come in
// any order and twice. loadparts.go says how many processors do it together,
// loadfiles.go reads the files. While it works:
//
//   - A table is keyed by internal space number in tables, because the numbers
//     that keyspaces have now are known only at the end.
//   - An entry holds the newest put or tombstone of its key; a tombstone makes it
//     a ghost, so that it shadows older puts that come later. If no older one can
//     come any more, nothing is kept of the key.
//   - Expire records are kept beside, because one counts only if no newer put or
//     tombstone comes.
//   - Element tombstones are kept beside in the same way, as long as an older put
//     can come.
//   - An expired record is loaded as any other: it shadows older ones.
type loader struct {
	db     *DB
	limits loadLimits
	parts  []loadPart // as many as shards

	maps    sync.Mutex // guards spaceOf
	spaceOf map[uint32]spaceMapping

	unsound   map[uint32]bool // numbers of files whose hint is not to be used
	files     []*loadFile     // all that are loaded
	filesDone atomic.Int64

	queued    atomic.Int64 // bytes of chunks that are queued
	waiting   atomic.Int64 // and of those that are being applied
	help      *sync.Cond   // something changed that an idle worker may wait for
	producing bool         // guarded by help.L: chunks may still come

	buffersMu sync.Mutex // guards following
	buffers   [][]byte   // of chunks that were applied

	hintless      sync.Mutex  // guards following
	hintlessFiles []*dataFile // whose hint files have to be made

	progress   progress
	replayTook time.Duration // of the log files that were not sealed
	maxSeq     atomic.Uint64
	maxColl    atomic.Uint64
	maxSpace   atomic.Uint32
}

// loadFile is a data file, as far as the loader is concerned.
type loadFile struct {
	*dataFile
	lowest uint64      // no record has a lower sequence number
	done   atomic.Bool // every record is queued
}

// loadPart is what is known so far of the keys of one shard, and of some
// collections: see loader.partOf. The tables are those of the shard.
type loadPart struct {
	queue loadQueue

	// Guarded by queue.applying.
	tables  map[uint32]*table
	last    *table
	expires map[loadSlot]loadExpire
	// remembered is how many ghosts and element tombstones there are, and
	// forgetAt at how many it is worth it to look which are of no use any more.
	remembered, forgetAt int

	mu       sync.Mutex // guards following; after queue.applying
	colls    map[CollectionID]*loadCollection
	lastColl *loadCollection
	_        [64]byte
}

type loadSlot struct {
	table *table
	slot  uint32
}

// loadExpire is the newest expire record of a key.
type loadExpire struct {
	seq      uint64
	expireMs int64
	file     uint16
}

type spaceMapping struct {
	seq   uint64
	space uint32
	file  *dataFile
}

// loadCollection is a collection and what is known of elements that it does not
// have. Guarded by queue.applying of its part, but for coll and slot, which do
// not change.
type loadCollection struct {
	coll       *Collection
	slot       uint32
	tombstones map[string]uint64
}

func newLoader(db *DB, unsound map[uint32]bool) *loader {
	ld := &loader{
		db: db, limits: db.opt.load, unsound: unsound, parts: make([]loadPart, len(db.shards)),
		spaceOf: make(map[uint32]spaceMapping), help: sync.NewCond(new(sync.Mutex)),
	}
	for i := range ld.parts {
		p := &ld.parts[i]
		p.tables = make(map[uint32]*table)
		p.expires = make(map[loadSlot]loadExpire)
		p.colls = make(map[CollectionID]*loadCollection)
		p.forgetAt = ld.limits.forget
	}
	return ld
}

// partOf returns the part of the elements of a collection.
func (ld *loader) partOf(id CollectionID) int {
	return int(uint64(id) >> 2 & uint64(len(ld.parts)-1))
}

// lowest returns the lowest sequence number that a record can have that is yet to
// be queued, but for those that come in order: the records of a log file do.
func (ld *loader) lowest(current *loadFile) uint64 {
	lowest := uint64(1<<64 - 1)
	for _, f := range ld.files {
		if !f.done.Load() && (f != current || f.kind != fileLog) {
			lowest = min(lowest, f.lowest)
		}
	}
	return lowest
}

// loadRecord is what the keydir needs of a record: a hint holds no more.
type loadRecord struct {
	kind     recordKind
	flags    uint8
	tag      uint8
	space    uint32
	number   uint32
	coll     uint64
	expireMs int64
	key      []byte
	size     uint32
	inline   location // the value, if size is at most maxInlineBytes
}

func inlineOrZero(value []byte) location {
	if len(value) > maxInlineBytes {
		return 0
	}
	return inlineLocation(value)
}

func storeMax(a *atomic.Uint64, v uint64) {
	for {
		old := a.Load()
		if old >= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}

// apply loads chunks of this part. REQUIRES: queue.applying is held.
func (p *loadPart) apply(ld *loader, chunks []*loadChunk) {
	var r loadRecord
	for _, c := range chunks {
		var seq uint64
		for b := c.buf; len(b) > 0; {
			var offset int64
			b, seq, offset = c.next(b, &r)
			switch r.kind {
			case kindElemPut, kindElemTombstone:
				p.element(ld, c, &r, seq, offset)
			case kindTombstone:
				p.tombstone(ld, c, &r, seq)
			default:
				p.head(ld, c, &r, seq, offset)
			}
		}
		if p.remembered >= p.forgetAt {
			// What comes of this file, if it is in order, is above the last one.
			p.forget(min(c.low, seq), ld.limits.forget)
		}
	}
}

// table returns the table of a keyspace.
func (p *loadPart) table(ld *loader, space uint32) *table {
	if t := p.last; t != nil && t.space.id == space {
		return t
	}
	t := p.tables[space]
	if t == nil {
		t = newTable(newSpace(space, 0), ld.db.opt.Index)
		p.tables[space] = t
	}
	p.last = t
	return t
}

// head loads a put or an expire record.
func (p *loadPart) head(ld *loader, c *loadChunk, r *loadRecord, seq uint64, offset int64) {
	t := p.table(ld, r.space)
	slot, added := t.index.getOrPut(r.key, r.expireMs != 0)
	e := entry{flags: flagGhost}
	if !added {
		e = t.slots.at(slot)
	}
	if r.kind == kindExpire {
		if added {
			t.slots.set(slot, &e)
		}
		at := loadSlot{t, slot}
		if p.expires[at].seq < seq {
			p.expires[at] = loadExpire{seq, r.expireMs, c.file.slot}
		}
		return
	}
	if seq < e.seq || (seq == e.seq && e.flags&flagGhost == 0) {
		return
	}
	e.seq = seq
	e.recFile = c.file.slot
	e.flags = 0
	e.coll, e.expireMs = 0, 0
	e.tag, e.size, e.expireMs = r.tag, r.size, r.expireMs
	if r.flags&putHasExpire != 0 {
		e.flags |= flagPutExpire
	}
	if r.flags&putHasCollection != 0 {
		e.coll = ld.collection(CollectionID(r.coll)).slot
	}
	e.loc = makeLocation(c.file.number, offset)
	if r.size <= maxInlineBytes {
		e.flags |= flagInline
		e.loc = r.inline
	}
	t.slots.set(slot, &e)
}

// tombstone loads the tombstone of a key.
func (p *loadPart) tombstone(ld *loader, c *loadChunk, r *loadRecord, seq uint64) {
	t := p.table(ld, r.space)
	slot, ok := t.index.get(r.key)
	switch {
	case ok:
		if seq <= t.slots.cell(slot).seq() {
			return
		}
		if p.expires[loadSlot{t, slot}].seq < seq && seq <= c.low {
			delete(p.expires, loadSlot{t, slot})
			t.removeGhost(slot)
			return
		}
	case seq <= c.low:
		return
	default:
		slot, _ = t.index.getOrPut(r.key, false)
	}
	e := t.slots.at(slot)
	e.seq, e.recFile, e.flags = seq, c.file.slot, flagGhost
	e.coll, e.expireMs = 0, 0
	t.slots.set(slot, &e)
	p.remembered++
}

// element loads a record of an element.
func (p *loadPart) element(ld *loader, chunk *loadChunk, r *loadRecord, seq uint64, offset int64) {
	c := ld.collection(CollectionID(r.coll))
	old := c.coll.find(r.key)
	if old != nil && old.seq >= seq {
		return
	}
	if len(c.tombstones) > 0 && c.tombstones[string(r.key)] > seq {
		return
	}
	if r.kind == kindElemTombstone {
		if old != nil {
			c.coll.delete(r.key)
		}
		if seq <= chunk.low {
			return
		}
		if c.tombstones == nil {
			c.tombstones = make(map[string]uint64)
		}
		c.tombstones[string(r.key)] = seq
		p.remembered++
		return
	}
	v := element{seq: seq, size: r.size, recFile: chunk.file.slot, loc: makeLocation(chunk.file.number, offset)}
	if r.size <= maxInlineBytes {
		v.bits = elementInline
		v.loc = r.inline
	}
	c.coll.put(r.key, v)
}

// collection returns the collection of an id, which it makes if there is none.
func (ld *loader) collection(id CollectionID) *loadCollection {
	p := &ld.parts[ld.partOf(id)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastColl != nil && p.lastColl.coll.id == id {
		return p.lastColl
	}
	c := p.colls[id]
	if c == nil {
		coll := newCollection(id, ld.db.hashSeed)
		coll.shard.Store(noShard)
		c = &loadCollection{coll: coll, slot: ld.db.colls.add(coll)}
		p.colls[id] = c
		storeMax(&ld.maxColl, uint64(id)>>2)
	}
	p.lastColl = c
	return c
}

// forget gives up what was remembered of keys and elements that are gone, as far
// as no record below low can come. An entry that is a ghost because only its
// expiry is known yet stays.
func (p *loadPart) forget(low uint64, atLeast int) {
	p.remembered = 0
	for _, t := range p.tables {
		for slot := range t.slots.all {
			e := t.slots.at(slot)
			switch {
			case e.flags&flagGhost == 0:
			case e.seq <= low && p.expires[loadSlot{t, slot}].seq <= e.seq:
				delete(p.expires, loadSlot{t, slot})
				t.removeGhost(slot)
			default:
				p.remembered++
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.colls {
		for key, seq := range c.tombstones {
			if seq <= low {
				delete(c.tombstones, key)
			}
		}
		p.remembered += len(c.tombstones)
	}
	p.forgetAt = max(atLeast, 2*p.remembered)
}

func (ld *loader) mapping(r *loadRecord, seq uint64, f *dataFile) {
	ld.maps.Lock()
	defer ld.maps.Unlock()
	ld.maxSpace.Store(max(ld.maxSpace.Load(), r.space))
	if m := ld.spaceOf[r.number]; m.seq < seq {
		ld.spaceOf[r.number] = spaceMapping{seq, r.space, f}
	}
}
