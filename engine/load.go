package engine

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// loader fills the keydir from the records of the data files, which may come in
// any order and twice. While it works:
//
//   - A table is keyed by internal space number in tables, because the numbers
//     that keyspaces have now are known only at the end.
//   - An entry holds the newest put or tombstone of its key; a tombstone makes it
//     a ghost, so that it shadows older puts that come later.
//   - Expire records are kept beside, because one counts only if no newer put or
//     tombstone comes.
//   - Element tombstones are kept beside in the same way.
//   - An expired record is loaded as any other: it shadows older ones.
type loader struct {
	db      *DB
	shards  []loadShard
	maps    sync.Mutex // guards spaceOf
	spaceOf map[uint32]spaceMapping

	collMu sync.Mutex // guards elements of the map, not the collections
	colls  map[CollectionID]*loadCollection

	hintless      sync.Mutex  // guards following
	hintlessFiles []*dataFile // whose hint files have to be made

	progress progress
	maxSeq   atomic.Uint64
	maxColl  atomic.Uint64
	maxSpace atomic.Uint32
}

type loadShard struct {
	mu      sync.Mutex
	tables  map[uint32]*table
	last    *table
	expires map[loadSlot]loadExpire
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

type loadCollection struct {
	mu         sync.Mutex
	coll       *Collection
	slot       uint32
	tombstones map[string]uint64
}

func newLoader(db *DB) *loader {
	ld := &loader{
		db: db, shards: make([]loadShard, len(db.shards)),
		spaceOf: make(map[uint32]spaceMapping), colls: make(map[CollectionID]*loadCollection),
	}
	for i := range ld.shards {
		ld.shards[i].tables = make(map[uint32]*table)
		ld.shards[i].expires = make(map[loadSlot]loadExpire)
	}
	return ld
}

// frame loads the records of a frame of a log file and counts them.
func (ld *loader) frame(f *dataFile, fr *frame, n int) error {
	countFrame(f, fr, n)
	ld.progress.add(fr.end()-fr.offset, int64(n))
	return ld.records(f, fr)
}

// records loads the records of a frame.
func (ld *loader) records(f *dataFile, fr *frame) error {
	return fr.eachRecord(func(r *record, seq uint64, offset int64, _ int) error {
		ld.apply(&loadRecord{
			kind: r.kind, flags: r.flags, tag: r.tag, space: r.space, number: r.number, coll: r.coll,
			expireMs: r.expireMs, key: r.key, size: uint32(len(r.value)), inline: inlineOrZero(r.value),
		}, seq, f, offset)
		return nil
	})
}

func inlineOrZero(value []byte) location {
	if len(value) > maxInlineBytes {
		return 0
	}
	return inlineLocation(value)
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

// apply loads one record. Safe for concurrent use.
func (ld *loader) apply(r *loadRecord, seq uint64, f *dataFile, offset int64) {
	storeMax(&ld.maxSeq, seq)
	switch r.kind {
	case kindPut, kindTombstone, kindExpire:
		ld.head(r, seq, f, offset)
	case kindElemPut, kindElemTombstone:
		ld.element(r, seq, f, offset)
	case kindSpaceMap:
		ld.mapping(r, seq, f)
	}
}

func storeMax(a *atomic.Uint64, v uint64) {
	for {
		old := a.Load()
		if old >= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}

func (ld *loader) head(r *loadRecord, seq uint64, f *dataFile, offset int64) {
	s := &ld.shards[ld.db.ShardOf(r.key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.last
	if t == nil || t.space.id != r.space {
		t = s.tables[r.space]
		if t == nil {
			t = newTable(newSpace(r.space, 0), ld.db.opt.Index)
			s.tables[r.space] = t
		}
		s.last = t
	}
	slot, ok := t.index.get(r.key)
	var e *entry
	if ok {
		e = t.slots.at(slot)
	} else {
		slot, e = t.slots.alloc(r.key)
		e.flags = flagGhost
		t.index.put(r.key, slot)
	}
	if r.kind == kindExpire {
		at := loadSlot{t, slot}
		if s.expires[at].seq < seq {
			s.expires[at] = loadExpire{seq, r.expireMs, f.slot}
		}
		return
	}
	if seq < e.seq || (seq == e.seq && e.flags&flagGhost == 0) {
		return
	}
	e.seq = seq
	e.recFile = f.slot
	e.flags = 0
	e.coll, e.expireMs = 0, 0
	if r.kind == kindTombstone {
		e.flags = flagGhost
		return
	}
	e.tag, e.size, e.expireMs = r.tag, r.size, r.expireMs
	if r.flags&putHasExpire != 0 {
		e.flags |= flagPutExpire
	}
	if r.flags&putHasCollection != 0 {
		e.coll = ld.collection(CollectionID(r.coll)).slot
	}
	e.loc = makeLocation(f.number, offset)
	if r.size <= maxInlineBytes {
		e.flags |= flagInline
		e.loc = r.inline
	}
}

func (ld *loader) collection(id CollectionID) *loadCollection {
	ld.collMu.Lock()
	defer ld.collMu.Unlock()
	c := ld.colls[id]
	if c == nil {
		coll := newCollection(id, ld.db.hashSeed)
		coll.shard.Store(noShard)
		c = &loadCollection{coll: coll, slot: ld.db.colls.add(coll)}
		ld.colls[id] = c
		storeMax(&ld.maxColl, uint64(id)>>2)
	}
	return c
}

func (ld *loader) element(r *loadRecord, seq uint64, f *dataFile, offset int64) {
	c := ld.collection(CollectionID(r.coll))
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.coll.find(r.key)
	if old != nil && old.seq >= seq {
		return
	}
	if gone, ok := c.tombstones[string(r.key)]; ok && gone > seq {
		return
	}
	if r.kind == kindElemTombstone {
		if old != nil {
			c.coll.delete(r.key)
		}
		if c.tombstones == nil {
			c.tombstones = make(map[string]uint64)
		}
		c.tombstones[string(r.key)] = seq
		return
	}
	v := element{seq: seq, size: r.size, recFile: f.slot, loc: makeLocation(f.number, offset)}
	if r.size <= maxInlineBytes {
		v.bits = elementInline
		v.loc = r.inline
	}
	c.coll.put(r.key, v)
}

func (ld *loader) mapping(r *loadRecord, seq uint64, f *dataFile) {
	ld.maps.Lock()
	defer ld.maps.Unlock()
	ld.maxSpace.Store(max(ld.maxSpace.Load(), r.space))
	if m := ld.spaceOf[r.number]; m.seq < seq {
		ld.spaceOf[r.number] = spaceMapping{seq, r.space, f}
	}
}

// finish makes the keydir of what was loaded.
func (ld *loader) finish() error {
	db := ld.db
	if err := ld.placeSpaces(); err != nil {
		return err
	}
	files := db.files.Load()
	for i := range ld.shards {
		for id, t := range ld.shards[i].tables {
			if err := ld.finishTable(i, id, t, files); err != nil {
				return err
			}
		}
	}
	for _, c := range ld.colls {
		if db.colls.removeUnnamed(c.coll) {
			continue // garbage that no head names
		}
		db.countCollection(c.coll)
		c.coll.AscendAt(0, func(e Element) bool {
			addLive(files.bySlot(e.recFile), elemRecordBytes(uint64(c.coll.id), len(e.Subkey), e.Size))
			return true
		})
	}
	db.log.nextSeq = max(db.log.nextSeq, ld.maxSeq.Load()+1)
	db.nextColl.Store(max(db.nextColl.Load(), ld.maxColl.Load()+1))
	db.nextSpace.Store(max(db.nextSpace.Load(), ld.maxSpace.Load()+1))
	return nil
}

// placeSpaces gives the numbers of keyspaces to internal ones.
func (ld *loader) placeSpaces() error {
	for n, m := range ld.spaceOf {
		if int(n) >= len(ld.db.spaces) {
			continue // refused by finishTable if it has keys
		}
		sp := newSpace(m.space, int(n))
		sp.mapSeq, sp.mapFile = m.seq, m.file.slot
		addLive(m.file, spaceMapBytes(n, m.space))
		ld.db.spaces[n].Store(sp)
	}
	return nil
}

// spaceNumber returns the number of an internal space now, or -1.
func (ld *loader) spaceNumber(id uint32) int {
	if id < firstFreshSpace {
		if _, moved := ld.spaceOf[id]; !moved {
			return int(id)
		}
	}
	for n, m := range ld.spaceOf {
		if m.space == id {
			return int(n)
		}
	}
	return -1
}

// finishTable takes the ghosts out of a table and puts it where it belongs.
func (ld *loader) finishTable(shardNumber int, id uint32, t *table, files *fileSet) error {
	s := &ld.db.shards[shardNumber]
	ls := &ld.shards[shardNumber]
	number := ld.spaceNumber(id)
	if number < 0 {
		return nil // cleared; the collections it names stay unnamed
	}
	if number < len(ld.db.spaces) {
		t.space = ld.db.spaces[number].Load()
	}
	ghost := entry{flags: flagGhost}
	for slot := range t.slots.cap() {
		if !t.slots.used(slot) {
			continue
		}
		e := t.slots.at(slot)
		if e.flags&flagGhost != 0 {
			t.removeGhost(slot)
			continue
		}
		if number >= len(ld.db.spaces) {
			return fmt.Errorf("engine: keyspace %d has keys, but only %d keyspaces were asked for", number, len(ld.db.spaces))
		}
		if x, ok := ls.expires[loadSlot{t, slot}]; ok && x.seq > e.seq {
			e.seq, e.expireMs, e.recFile = x.seq, x.expireMs, x.file
			e.flags |= flagExpireRec
		}
		t.account(&ghost, e)
		ld.countLive(t, e, files)
		if e.coll != 0 {
			ld.db.colls.moveName(0, e.coll, shardNumber)
		}
	}
	if number >= len(ld.db.spaces) {
		return nil
	}
	s.tables[number] = t
	ld.db.countTable(t)
	s.lastSeq = ld.maxSeq.Load()
	for slot := range t.slots.cap() {
		if t.slots.used(slot) {
			if e := t.slots.at(slot); e.expireMs != 0 {
				s.expiry.push(e.expireMs, t.space.id, slot)
			}
		}
	}
	return nil
}

// countLive adds the records of an entry to the live bytes of their files. The
// file of an inline value whose expiry came in a record of its own is not known;
// such records are written no more, so nothing is counted for it.
func (ld *loader) countLive(t *table, e *entry, files *fileSet) {
	put, expire := t.recordBytes(e)
	if e.flags&flagInline == 0 {
		addLive(files.get(e.loc.file()), put)
	} else {
		addLive(files.bySlot(e.recFile), put)
	}
	if expire != 0 {
		addLive(files.bySlot(e.recFile), expire)
	}
}

// sealedFiles loads immutable files, several at a time.
func (ld *loader) sealedFiles(files []*dataFile) error {
	var (
		work  sync.WaitGroup
		next  atomic.Int64
		first atomic.Pointer[error]
	)
	for range min(loadWorkers(), len(files)) {
		work.Go(func() {
			var buf []byte
			for first.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				var err error
				if buf, err = ld.sealedFile(files[i], buf); err != nil {
					first.CompareAndSwap(nil, &err)
				}
				ld.progress.add(files[i].meta.dataEnd, int64(files[i].meta.records))
			}
		})
	}
	work.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// sealedFile loads one immutable file through its hint file or, if that is not
// valid, from its data, checking everything.
func (ld *loader) sealedFile(f *dataFile, buf []byte) ([]byte, error) {
	if err := f.readFooter(ld.db.manifest.uuid); err != nil {
		return buf, err
	}
	buf, err := ld.hinted(f, buf)
	if err == nil {
		return buf, nil
	}
	if errors.Is(err, ErrVersion) {
		return buf, err
	}
	if !isNotExist(err) {
		ld.db.opt.Logger.Warn("a hint file cannot be used and is made again", "err", err)
	}
	ld.hintless.Lock()
	ld.hintlessFiles = append(ld.hintlessFiles, f)
	ld.hintless.Unlock()
	return buf, ld.rebuild(f)
}

// rebuild loads an immutable file from its data.
func (ld *loader) rebuild(f *dataFile) error {
	records := uint64(0)
	end, reason, err := f.scanFrames(fileHeaderBytes, f.meta.dataEnd, func(fr *frame) error {
		if fr.flags&frameFooter != 0 {
			return &badRecordError{"a footer lies before the end"}
		}
		n, err := fr.checkRecords()
		if err != nil {
			return err
		}
		records += uint64(n)
		return ld.records(f, fr)
	})
	if err != nil {
		return err
	}
	if reason == "" && records != f.meta.records {
		reason = fmt.Sprintf("it holds %d records, its footer says %d", records, f.meta.records)
	}
	if reason != "" {
		return &CorruptError{File: f.name(), Offset: end, Reason: reason}
	}
	return nil
}

// progress tells Options.Progress how far a load is, a few times a second.
type progress struct {
	fn      func(Progress)
	started time.Time
	total   int64

	done atomic.Int64
	keys atomic.Int64
	last atomic.Int64 // when it was last told, in nanoseconds since started
}

const progressInterval = 250 * time.Millisecond

func (p *progress) add(bytes, keys int64) {
	done, n := p.done.Add(bytes), p.keys.Add(keys)
	if p.fn == nil {
		return
	}
	since := time.Since(p.started)
	last := p.last.Load()
	if since-time.Duration(last) < progressInterval || !p.last.CompareAndSwap(last, int64(since)) {
		return
	}
	r := Progress{Work: "load", DoneBytes: done, TotalBytes: p.total, Keys: n}
	if done > 0 {
		r.ETA = time.Duration(float64(since) * float64(p.total-done) / float64(done))
	}
	p.fn(r)
}
