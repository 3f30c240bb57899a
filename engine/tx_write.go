package engine

// add appends a record to the transaction's frame. It returns the provisional
// sequence number and the offset in the frame.
func (tx *Tx) add(r *record) (seq uint64, offset int64) {
	offset = int64(len(tx.buf))
	tx.buf = appendRecord(tx.buf, r)
	seq = provisionalSeq | tx.records
	tx.records++
	return seq, offset
}

// addTombstone adds a record that is dead from the start: it is needed only until
// merge has seen everything that it shadows.
func (tx *Tx) addTombstone(r *record) (seq uint64) {
	seq, offset := tx.add(r)
	tx.tombstones++
	tx.tombBytes += int64(len(tx.buf)) - offset
	tx.deadBytes += int64(len(tx.buf)) - offset
	return seq
}

// room checks the limits on a record before anything is changed.
func (tx *Tx) room(keyLen, valueLen int) error {
	if keyLen > MaxKeyBytes || valueLen > maxValueBytes {
		return errorf("%w: key of %d and value of %d bytes", ErrTooLarge, keyLen, valueLen)
	}
	if int64(len(tx.buf))+int64(keyLen)+int64(valueLen)+maxRecordOverhead > MaxFrameBytes {
		return errorf("%w: transaction of more than %d bytes", ErrTooLarge, int64(MaxFrameBytes))
	}
	return nil
}

// change makes ready to write the entry of a key: it is found or made (as a
// ghost, with room for an expiry if it gets one), and remembered for undo. e is what
// is remembered, valid until the next change.
func (tx *Tx) change(s *shard, shardNumber, space int, key []byte, expires bool) (t *table, slot uint32, e *entry) {
	t = s.tables[space]
	if t == nil {
		t = newTable(tx.db.spaces[space].Load(), tx.db.opt.Index)
		s.tables[space] = t
	}
	added := false
	switch {
	case tx.isLast(t, key):
		slot = tx.lastSlot
	case tx.miss.is(t, key):
		slot, added = t.index.putAt(key, &tx.miss.place, expires), true
	default:
		slot, added = t.index.getOrPut(key, expires)
	}
	tx.miss.table = nil // the index may be another one now
	tx.heads = append(tx.heads, headUndo{})
	u := &tx.heads[len(tx.heads)-1]
	u.table, u.slot, u.shard = t, slot, uint16(shardNumber)
	t.slots.read(slot, &u.old)
	if added {
		u.old.flags = flagGhost
		t.slots.set(slot, &u.old)
	}
	return t, slot, &u.old
}

// Put writes a head with a value, over whatever the key was. A collection that
// the key named is dropped.
func (tx *Tx) Put(space int, key []byte, m Meta, value []byte) error {
	return tx.put(space, key, m, 0, 0, value)
}

// PutCollection writes a head that names c, which NewCollection of this
// transaction returned or another key named until now. value is kept in the
// head beside it and may be empty.
func (tx *Tx) PutCollection(space int, key []byte, m Meta, c *Collection, value []byte) error {
	return tx.put(space, key, m, tx.db.colls.slotOf(c), uint64(c.id), value)
}

// put writes a head. coll is the slot of its collection, or 0.
func (tx *Tx) put(space int, key []byte, m Meta, coll uint32, collID uint64, value []byte) error {
	n := tx.shardOf(key)
	s := tx.writing(n)
	if err := tx.room(len(key), len(value)); err != nil {
		return err
	}
	t, slot, e := tx.change(s, n, space, key, m.ExpireMs != 0)
	// In place, as in slotTable.read.
	var r record
	r.kind, r.tag, r.space, r.key, r.value, r.expireMs = kindPut, m.Tag, t.space.id, key, value, m.ExpireMs
	var is entry
	if m.ExpireMs != 0 {
		r.flags |= putHasExpire
		is.flags |= flagPutExpire
	}
	if coll != 0 {
		r.flags |= putHasCollection
		r.coll = collID
	}
	var offset int64
	is.seq, offset = tx.add(&r)
	is.tag, is.expireMs, is.size, is.coll = m.Tag, m.ExpireMs, uint32(len(value)), coll
	is.recFile, is.clock, is.keyLen = unknownFileSlot, m.Clock, e.keyLen
	if len(value) <= maxInlineBytes {
		is.flags |= flagInline
		is.loc = inlineLocation(value)
	} else {
		is.loc = makeLocation(provisionalFile, offset)
	}
	tx.onlyDeletes = false
	tx.become(s, n, t, slot, e, &is)
	return nil
}

// become replaces the entry e of a slot by is, with everything that follows from it.
func (tx *Tx) become(s *shard, shardNumber int, t *table, slot uint32, e, is *entry) {
	t.account(e, is)
	if e.coll != is.coll {
		if e.coll != 0 {
			tx.colls = append(tx.colls, tx.db.colls.at(e.coll))
		}
		tx.db.colls.moveName(e.coll, is.coll, shardNumber)
	}
	expires := is.expireMs != 0 && is.expireMs != e.expireMs
	stale := e.expireMs != 0 && is.expireMs != e.expireMs
	t.slots.set(slot, is)
	if stale {
		s.expiry.noteStale()
	}
	if expires {
		s.expiry.push(is.expireMs, t.space.id, slot)
	}
}

// SetExpire changes the expiry of a key that exists, without reading or
// rewriting its value. It reports whether the key exists.
func (tx *Tx) SetExpire(space int, key []byte, expireMs int64) bool {
	n := tx.shardOf(key)
	s := tx.writing(n)
	t, slot, ok := tx.find(s, space, key)
	if !ok {
		return false
	}
	e := t.slots.at(slot)
	tx.heads = append(tx.heads, headUndo{table: t, slot: slot, shard: uint16(n), old: e})
	is := e
	is.expireMs = expireMs
	is.recFile = unknownFileSlot
	tx.onlyDeletes = false
	if e.flags&flagInline != 0 {
		// The value is at hand: one record holds all of it again.
		var value [maxInlineBytes]byte
		r := record{kind: kindPut, tag: e.tag, space: t.space.id, key: key, value: e.loc.appendInline(value[:0], e.size)}
		is.flags &^= flagPutExpire | flagExpireRec
		if expireMs != 0 {
			r.flags |= putHasExpire
			r.expireMs = expireMs
			is.flags |= flagPutExpire
		}
		if e.coll != 0 {
			r.flags |= putHasCollection
			r.coll = uint64(tx.db.colls.at(e.coll).id)
		}
		is.seq, _ = tx.add(&r)
	} else {
		is.seq, _ = tx.add(&record{kind: kindExpire, space: t.space.id, key: key, expireMs: expireMs})
		is.flags |= flagExpireRec
		tx.heads[len(tx.heads)-1].keepPut = true
	}
	tx.become(s, n, t, slot, &e, &is)
	return true
}

// find returns the slot of a key that exists.
func (tx *Tx) find(s *shard, space int, key []byte) (t *table, slot uint32, ok bool) {
	t = s.tables[space]
	if t == nil {
		return nil, 0, false
	}
	slot, ok = tx.slotOf(t, key)
	return t, slot, ok && t.slots.cell(slot).flags()&flagGhost == 0
}

// Delete removes a key, and the collection that it names. It reports whether
// the key existed.
func (tx *Tx) Delete(space int, key []byte) bool {
	n := tx.shardOf(key)
	s := tx.writing(n)
	t, slot, ok := tx.find(s, space, key)
	if !ok {
		return false
	}
	e := t.slots.at(slot)
	tx.heads = append(tx.heads, headUndo{table: t, slot: slot, shard: uint16(n), old: e})
	is := e
	is.flags = flagGhost
	is.coll, is.expireMs = 0, 0
	is.seq = tx.addTombstone(&record{kind: kindTombstone, space: t.space.id, key: key})
	tx.become(s, n, t, slot, &e, &is)
	return true
}

// Rename moves a key with its value or its collection to another name, over
// whatever the destination was, with the expiry unchanged. It writes the head
// again and a tombstone; elements are not touched. It reports whether the source exists.
func (tx *Tx) Rename(fromSpace int, from []byte, toSpace int, to []byte) (bool, error) {
	s := tx.writing(tx.shardOf(from))
	t, slot, ok := tx.find(s, fromSpace, from)
	if !ok {
		return false, nil
	}
	if fromSpace == toSpace && string(from) == string(to) {
		return true, nil
	}
	h, _ := tx.db.head(t, slot)
	value, err := tx.AppendValue(nil, &h)
	if err != nil {
		return true, err
	}
	coll, id := t.slots.at(slot).coll, uint64(0)
	if h.coll != nil {
		id = uint64(h.coll.id)
	}
	m := Meta{Tag: h.Tag, ExpireMs: h.ExpireMs, Clock: tx.Clock(&h)}
	if err := tx.put(toSpace, to, m, coll, id, value); err != nil {
		return true, err
	}
	tx.Delete(fromSpace, from)
	return true, nil
}

// Scan calls fn for keys of one shard of a keyspace, in the order of their
// slots, beginning at slot from, until fn returns false or the shard ends. It
// returns the slot to go on from, and whether the shard ended. A key that
// exists during a whole walk from slot 0 on is met exactly once.
// REQUIRES: the shard is locked (Begin or WithShard). key is valid during fn.
func (tx *Tx) Scan(space, shard int, from uint32, fn func(key []byte, h Head) bool) (next uint32, end bool) {
	t := tx.reading(shard).tables[space]
	if t == nil {
		return 0, true
	}
	for slot, ok := t.slots.next(from); ok; slot, ok = t.slots.next(slot + 1) {
		h, exists := tx.db.head(t, slot)
		if exists && !fn(t.slots.key(slot), h) {
			_, more := t.slots.next(slot + 1)
			return slot + 1, !more
		}
	}
	return 0, true
}

// AscendPrefix calls fn for the keys of one shard of a keyspace that begin with
// prefix, in ascending order, until fn returns false. REQUIRES: as Scan.
func (tx *Tx) AscendPrefix(space, shard int, prefix []byte, fn func(key []byte, h Head) bool) {
	t := tx.reading(shard).tables[space]
	if t == nil {
		return
	}
	ascendPrefix(t.index, t.slots, prefix, func(slot uint32) bool {
		h, ok := tx.db.head(t, slot)
		return !ok || fn(t.slots.key(slot), h)
	})
}

// ShardLen returns the number of keys in one shard of a keyspace, expired ones
// included. REQUIRES: as Scan.
func (tx *Tx) ShardLen(space, shard int) int {
	t := tx.reading(shard).tables[space]
	if t == nil {
		return 0
	}
	return t.live
}

// Random returns a key of the shard chosen uniformly among its keys, given a
// source of random numbers. ok is false if the shard has none. REQUIRES: as Scan.
func (tx *Tx) Random(space, shard int, rnd func(n uint32) uint32) (key []byte, h Head, ok bool) {
	t := tx.reading(shard).tables[space]
	if t == nil || t.live == 0 {
		return nil, Head{}, false
	}
	// Only a transaction that has deleted most of the keys meets many ghosts.
	for range 64 {
		slot := t.slots.random(rnd)
		if h, ok := tx.db.head(t, slot); ok {
			return t.slots.key(slot), h, true
		}
	}
	skip := rnd(uint32(t.live))
	for slot := range t.slots.all {
		if h, ok := tx.db.head(t, slot); ok {
			if skip == 0 {
				return t.slots.key(slot), h, true
			}
			skip--
		}
	}
	return nil, Head{}, false
}

// Expired calls fn for up to limit keys of the shard, of all keyspaces, whose
// expiry is at or before nowMs, earliest first, until fn returns false. fn may
// delete the key it is given, and only that key. REQUIRES: the transaction holds
// the shard for writing.
func (tx *Tx) Expired(shard int, nowMs int64, limit int, fn func(space int, key []byte, h Head) bool) {
	s := tx.writing(shard)
	for going := true; going && limit > 0; limit-- {
		item, ok := s.expiry.peek()
		if !ok || item.expireMs > nowMs {
			break
		}
		s.expiry.pop()
		if n := len(tx.popped); n > 0 && tx.popped[n-1] == item {
			continue // the heap may say the same twice
		}
		tx.popped = append(tx.popped, item)
		t := s.tableOf(item.space)
		h, _ := tx.db.head(t, item.slot)
		going = fn(int(t.space.number.Load()), t.slots.key(item.slot), h)
	}
	// What fn left alone expires still.
	for _, item := range tx.popped {
		if s.expiryValid(item.space, item.slot, item.expireMs) {
			s.expiry.push(item.expireMs, item.space, item.slot)
		}
	}
	tx.popped = tx.popped[:0]
}

// Expiring reports whether the shard has a key whose expiry is at or before
// nowMs, without changing anything. REQUIRES: as Expired.
func (tx *Tx) Expiring(shard int, nowMs int64) bool {
	item, ok := tx.writing(shard).expiry.peek()
	return ok && item.expireMs <= nowMs
}
