package engine

// mapUndo is what a keyspace was before ClearSpace or SwapSpaces.
type mapUndo struct {
	number  int
	was     *space
	mapSeq  uint64   // of was
	mapFile uint16   // of was
	tables  []*table // by shard
	clear   bool     // the tables are dropped at commit
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
	tx.mapSpace(space, is, mapUndo{number: space, was: was, mapSeq: was.mapSeq, mapFile: was.mapFile, tables: tables, clear: true})
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
	undoA := mapUndo{number: a, was: spaceA, mapSeq: spaceA.mapSeq, mapFile: spaceA.mapFile, tables: ofA}
	undoB := mapUndo{number: b, was: spaceB, mapSeq: spaceB.mapSeq, mapFile: spaceB.mapFile, tables: ofB}
	tx.mapSpace(a, spaceB, undoA)
	tx.mapSpace(b, spaceA, undoB)
	tx.onlyDeletes = false
}

// mapSpace gives a number to a keyspace.
func (tx *Tx) mapSpace(number int, is *space, undo mapUndo) {
	tx.maps = append(tx.maps, undo)
	is.number.Store(uint32(number))
	is.mapSeq, _ = tx.add(&record{kind: kindSpaceMap, number: uint32(number), space: is.id})
	is.mapFile = unknownFileSlot
	tx.db.spaces[number].Store(is)
}

func (tx *Tx) undoMap(u *mapUndo) {
	u.was.number.Store(uint32(u.number))
	u.was.mapSeq, u.was.mapFile = u.mapSeq, u.mapFile
	tx.db.spaces[u.number].Store(u.was)
	for i, t := range u.tables {
		tx.db.shards[i].tables[u.number] = t
	}
}

// settleMaps makes the sequence numbers of new mappings real, takes those that
// they replace off the live bytes, and hands cleared tables to the reaper.
func (tx *Tx) settleMaps(files *fileSet, at placed) {
	for i := range tx.maps {
		u := &tx.maps[i]
		if is := tx.db.spaces[u.number].Load(); is.mapSeq&provisionalSeq != 0 {
			is.mapSeq = at.base + is.mapSeq&^provisionalSeq
			is.mapFile = at.file.slot
		}
		n := spaceMapBytes(uint32(u.number), u.was.id)
		if u.mapSeq&provisionalSeq != 0 {
			addLive(at.file, -n)
		} else if u.mapSeq != 0 {
			addLive(files.bySlot(u.mapFile), -n)
		}
		if u.clear {
			for _, t := range u.tables {
				if t != nil {
					tx.db.forgetTable(t)
				}
			}
			tx.db.reaper.addTables(u.tables)
		}
	}
}

// spaceMapBytes returns the length of a space map.
func spaceMapBytes(number, space uint32) int64 {
	return int64(5 + uvarintLen(uint64(number)) + uvarintLen(uint64(space)))
}

// moveMapping moves the live bytes of a space map to its copy in to, if the
// record counts and is, so far, in a file of from.
func (db *DB) moveMapping(number uint32, seq uint64, from map[*dataFile]bool, to *dataFile) {
	if int64(number) >= int64(len(db.spaces)) {
		return
	}
	s := &db.shards[0] // mappings change with all shards locked
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := db.spaces[number].Load()
	old := db.files.Load().bySlot(sp.mapFile)
	if sp.mapSeq != seq || !from[old] {
		return
	}
	n := spaceMapBytes(number, sp.id)
	addLive(old, -n)
	addLive(to, n)
	sp.mapFile = to.slot
}
