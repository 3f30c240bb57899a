package engine

import "fmt"

// finish makes the keydir of what was loaded.
func (ld *loader) finish() error {
	db := ld.db
	ld.placeSpaces()
	files := db.files.Load()
	errs := make([]error, len(ld.parts))
	ld.eachPart(func(i int) { errs[i] = ld.finishTables(i, files) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	// Every head is counted now, so it is known which collections have a name.
	ld.eachPart(func(i int) { ld.finishCollections(i, files) })
	db.log.nextSeq = max(db.log.nextSeq, ld.maxSeq.Load()+1)
	db.nextColl.Store(max(db.nextColl.Load(), ld.maxColl.Load()+1))
	db.nextSpace.Store(max(db.nextSpace.Load(), ld.maxSpace.Load()+1))
	return nil
}

// placeSpaces gives the numbers of keyspaces to internal ones.
func (ld *loader) placeSpaces() {
	for n, m := range ld.spaceOf {
		if int(n) >= len(ld.db.spaces) {
			ld.db.strayMaps = true
			continue // refused by finishTable if it has keys
		}
		sp := newSpace(m.space, int(n))
		sp.mapSeq, sp.mapFile = m.seq, m.file.slot
		addLive(m.file, spaceMapBytes(n, m.space))
		ld.db.spaces[n].Store(sp)
	}
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

// finishTables puts the tables of a shard where they belong.
func (ld *loader) finishTables(part int, files *fileSet) error {
	for id, t := range ld.parts[part].tables {
		number := ld.spaceNumber(id)
		if number < 0 {
			continue // cleared; the collections it names stay unnamed
		}
		live, err := ld.finishTable(part, number, t, files)
		if err != nil {
			return err
		}
		addLiveBySlot(files, live)
	}
	return nil
}

// finishTable takes the ghosts out of a table and puts it where it belongs. It
// returns the live bytes by file slot, which it does not add itself because the
// shards share the counters.
func (ld *loader) finishTable(part, number int, t *table, files *fileSet) (live []int64, err error) {
	s, p := &ld.db.shards[part], &ld.parts[part]
	live = make([]int64, len(files.slots))
	placed := number < len(ld.db.spaces)
	var keys, expires, expireSum int64
	for slot := range t.slots.all {
		if c := t.slots.cell(slot); placed && len(p.expires) == 0 && c.plain() {
			addAt(live, c.recFile(), putRecordBytes(t.space.id, int(c.keyLen()), int(c[cellSize]), 0))
			keys++
			continue
		}
		e := t.slots.at(slot)
		if e.flags&flagGhost != 0 {
			t.removeGhost(slot)
			continue
		}
		if !placed {
			return nil, fmt.Errorf("engine: keyspace %d has keys, but only %d keyspaces were asked for", number, len(ld.db.spaces))
		}
		if len(p.expires) > 0 {
			if x, ok := p.expires[loadSlot{t, slot}]; ok && x.seq > e.seq {
				e.seq, e.expireMs, e.recFile = x.seq, x.expireMs, x.file
				e.flags |= flagExpireRec
				t.slots.set(slot, &e)
			}
		}
		t.countLive(&e, files, live)
		keys++
		if e.expireMs != 0 {
			expires++
			expireSum += e.expireMs
			s.expiry.items = append(s.expiry.items, expiryItem{e.expireMs, t.space.id, slot})
		}
		if e.coll != 0 {
			ld.db.colls.moveName(0, e.coll, part)
		}
	}
	if !placed {
		return nil, nil
	}
	sp := ld.db.spaces[number].Load()
	sp.keys.Add(keys)
	sp.expires.Add(expires)
	sp.expireSum.Add(expireSum)
	t.space, t.live = sp, int(keys)
	s.tables[number] = t
	ld.db.countTable(t)
	s.lastSeq = ld.maxSeq.Load()
	s.expiry.order()
	return live, nil
}

// countLive adds the records of an entry to the live bytes of their files. The
// file of an inline value whose expiry came in a record of its own is not known;
// such records are written no more, so nothing is counted for it.
func (t *table) countLive(e *entry, files *fileSet, live []int64) {
	put, expire := t.recordBytes(e)
	slot := e.recFile
	if expire != 0 {
		addAt(live, slot, expire)
		if e.flags&flagInline == 0 {
			f := files.get(e.loc.file())
			if f == nil {
				return
			}
			slot = f.slot
		}
	}
	addAt(live, slot, put)
}

// addAt adds n for a file slot, unless it is that of no file.
func addAt(live []int64, slot uint16, n int64) {
	if int(slot) < len(live) {
		live[slot] += n
	}
}

// addLiveBySlot adds live bytes by file slot to the counters of the files.
func addLiveBySlot(files *fileSet, live []int64) {
	for slot, n := range live {
		if n != 0 {
			addLive(files.bySlot(uint16(slot)), n)
		}
	}
}

// finishCollections drops the collections of a part that no head names, and
// counts the others.
func (ld *loader) finishCollections(part int, files *fileSet) {
	db := ld.db
	live := make([]int64, len(files.slots))
	for _, c := range ld.parts[part].colls {
		if db.colls.removeUnnamed(c.coll) {
			continue // garbage
		}
		db.countCollection(c.coll)
		c.coll.AscendAt(0, func(e Element) bool {
			addAt(live, e.recFile, elemRecordBytes(uint64(c.coll.id), len(e.Subkey), e.Size))
			return true
		})
	}
	addLiveBySlot(files, live)
}
