package engine

// mapUndo is what a keyspace was before ClearSpace or SwapSpaces.
type mapUndo struct {
	number int
	was    *space
	mapSeq uint64   // of was
	tables []*table // by shard
	clear  bool     // the tables are dropped at commit
}

// ClearSpace removes every key of a keyspace, with one record. REQUIRES: all
// shards locked for writing. It returns the number of keys removed. The memory
// is given back in the background.
func (tx *Tx) ClearSpace(space int) int {
	db := tx.db
	was := db.spaces[space].Load()
	keys := int(was.keys.Load())
	if keys == 0 {
		return 0
	}
	tables := make([]*table, len(db.shards))
	for i := range db.shards {
		s := tx.writing(i)
		tables[i], s.tables[space] = s.tables[space], nil
		tx.dirtyShards.Add(i)
	}
	is := newSpace(db.nextSpace.Add(1)-1, space)
	tx.mapSpace(space, is, mapUndo{number: space, was: was, mapSeq: was.mapSeq, tables: tables, clear: true})
	return keys
}

// SwapSpaces exchanges two keyspaces, with one record for each. REQUIRES: all
// shards locked for writing.
func (tx *Tx) SwapSpaces(a, b int) {
	if a == b {
		return
	}
	db := tx.db
	ofA, ofB := make([]*table, len(db.shards)), make([]*table, len(db.shards))
	for i := range db.shards {
		s := tx.writing(i)
		ofA[i], ofB[i] = s.tables[a], s.tables[b]
		s.tables[a], s.tables[b] = ofB[i], ofA[i]
		tx.dirtyShards.Add(i)
	}
	spaceA, spaceB := db.spaces[a].Load(), db.spaces[b].Load()
	seqA, seqB := spaceA.mapSeq, spaceB.mapSeq
	tx.mapSpace(a, spaceB, mapUndo{number: a, was: spaceA, mapSeq: seqA, tables: ofA})
	tx.mapSpace(b, spaceA, mapUndo{number: b, was: spaceB, mapSeq: seqB, tables: ofB})
	tx.onlyDeletes = false
}

// mapSpace gives a number to a keyspace.
func (tx *Tx) mapSpace(number int, is *space, undo mapUndo) {
	tx.maps = append(tx.maps, undo)
	is.number.Store(uint32(number))
	var offset int64
	is.mapSeq, offset = tx.add(&record{kind: kindSpaceMap, number: uint32(number), space: is.id})
	tx.deadBytes += int64(len(tx.buf)) - offset // no entry refers to it
	tx.db.spaces[number].Store(is)
}

func (tx *Tx) undoMap(u *mapUndo) {
	u.was.number.Store(uint32(u.number))
	u.was.mapSeq = u.mapSeq
	tx.db.spaces[u.number].Store(u.was)
	for i, t := range u.tables {
		tx.db.shards[i].tables[u.number] = t
	}
}

// settleMaps makes the sequence numbers of new mappings real and hands cleared
// tables to the reaper.
func (tx *Tx) settleMaps(at placed) {
	for i := range tx.maps {
		u := &tx.maps[i]
		if is := tx.db.spaces[u.number].Load(); is.mapSeq&provisionalSeq != 0 {
			is.mapSeq = at.base + is.mapSeq&^provisionalSeq
		}
		if u.clear {
			tx.db.reaper.addTables(u.tables)
		}
	}
}
