package engine

import "fmt"

// elemUndo is what an element was before a write. Its subkey is in the
// transaction's buffer.
type elemUndo struct {
	coll    *Collection
	elem    *element // after the write; nil: deleted
	old     element
	existed bool
	keyAt   int // in Tx.buf
	keyLen  int
}

// NewCollection makes an empty collection. It comes to life when PutCollection
// gives it to a key; otherwise it is gone when the transaction ends.
func (tx *Tx) NewCollection(order Order) *Collection {
	if !tx.write || tx.ended {
		panic("engine: NewCollection in a transaction that only reads")
	}
	db := tx.db
	id := CollectionID((db.nextColl.Add(1)-1)<<2 | uint64(order))
	c := newCollection(id, db.hashSeed)
	c.shard.Store(noShard)
	db.colls.add(c)
	tx.colls = append(tx.colls, c)
	return c
}

// holdsCollection panics unless the transaction may read (or write) c.
func (tx *Tx) holdsCollection(c *Collection, write bool) {
	n := c.shard.Load()
	if n == noShard {
		return // it is this transaction's own: nobody else has a reference
	}
	if write {
		tx.writing(int(n))
	} else {
		tx.reading(int(n))
	}
}

// GetElement returns an element of a collection. It reads memory only.
func (tx *Tx) GetElement(c *Collection, subkey []byte) (Element, bool) {
	tx.holdsCollection(c, false)
	e := c.find(subkey)
	if e == nil {
		return Element{}, false
	}
	return Element{Subkey: subkey, Size: int(e.size), coll: c.id, loc: e.loc, seq: e.seq, recFile: e.recFile, inline: e.inline()}, true
}

// AppendElementValue appends the value of an element to dst; as AppendValue.
func (tx *Tx) AppendElementValue(dst []byte, e *Element) ([]byte, error) {
	if e.inline {
		return e.loc.appendInline(dst, uint32(e.Size)), nil
	}
	if tx.run.on {
		if value, ok := tx.run.value(tx, e); ok {
			return append(dst, value...), nil
		}
	}
	w := want{kind: kindElemPut, id: uint64(e.coll), key: e.Subkey, valueLen: e.Size}
	if e.loc.file() == provisionalFile {
		return appendWanted(dst, tx.buf[e.loc.offset():], nil, e.loc.offset(), &w)
	}
	out, err := tx.readRecord(dst, e.loc, &w)
	if err != nil && tx.fetch != nil {
		return tx.coldElement(dst, e.Size, err)
	}
	return out, err
}

// PutElement writes an element. It reports whether the subkey is new.
func (tx *Tx) PutElement(c *Collection, subkey, value []byte) (bool, error) {
	tx.holdsCollection(c, true)
	if err := tx.room(len(subkey), len(value)); err != nil {
		return false, err
	}
	if c.id.Order() == OrderScore && len(value) != 8 {
		return false, fmt.Errorf("engine: an element ordered by score needs a value of 8 bytes, not %d", len(value))
	}
	u := elemUndo{coll: c, keyLen: len(subkey)}
	var s spot
	c.search(&s, subkey)
	if s.elem != nil {
		u.existed, u.old = true, *s.elem
	}
	v := element{size: uint32(len(value)), recFile: unknownFileSlot}
	var offset int64
	v.seq, offset = tx.add(&record{kind: kindElemPut, coll: uint64(c.id), key: subkey, value: value})
	if len(value) <= maxInlineBytes {
		v.bits = elementInline
		v.loc = inlineLocation(value)
	} else {
		v.loc = makeLocation(provisionalFile, offset)
	}
	u.keyAt = len(tx.buf) - len(value) - len(subkey)
	u.elem = c.putAt(&s, subkey, &v)
	tx.elems = append(tx.elems, u)
	tx.onlyDeletes = false
	return !u.existed, nil
}

// DeleteElement removes an element. It reports whether it existed.
func (tx *Tx) DeleteElement(c *Collection, subkey []byte) bool {
	tx.holdsCollection(c, true)
	var s spot
	if c.search(&s, subkey); s.elem == nil {
		return false
	}
	// subkey may point into the element itself: what noteDeleted returns does not.
	c.deleteAt(&s, tx.noteDeleted(c, subkey, s.elem))
	return true
}

// DeleteElementAt removes the element at a position of the collection's order. It
// does not search for it as DeleteElement does.
// REQUIRES: 0 <= i < Len.
func (tx *Tx) DeleteElementAt(c *Collection, i int) {
	tx.holdsCollection(c, true)
	var s spot
	c.main.searchAt(&s.path, i)
	s.ref = s.path.ref()
	s.elem = c.elems.at(s.ref)
	c.deleteAt(&s, tx.noteDeleted(c, c.elems.subkeyOf(s.elem), s.elem))
}

// DeleteElementAtScore is DeleteElementAt in the order by value.
// REQUIRES: OrderScore, 0 <= i < Len.
func (tx *Tx) DeleteElementAtScore(c *Collection, i int) {
	tx.holdsCollection(c, true)
	var p treePath
	c.score.searchAt(&p, i)
	ref := p.ref()
	e := c.elems.at(ref)
	subkey := tx.noteDeleted(c, c.elems.subkeyOf(e), e)
	c.score.removeAt(&p)
	c.main.remove(c.sortKey(subkey), subkey)
	c.release(ref)
}

// noteDeleted writes the tombstone of an element and remembers the element for
// undo. It returns a copy of the subkey, valid until the next record is added.
func (tx *Tx) noteDeleted(c *Collection, subkey []byte, e *element) []byte {
	u := elemUndo{coll: c, existed: true, old: *e, keyLen: len(subkey)}
	tx.addTombstone(&record{kind: kindElemTombstone, coll: uint64(c.id), key: subkey})
	u.keyAt = len(tx.buf) - len(subkey)
	tx.elems = append(tx.elems, u)
	return tx.buf[u.keyAt : u.keyAt+u.keyLen]
}

func (tx *Tx) undoElement(u *elemUndo) {
	subkey := tx.buf[u.keyAt : u.keyAt+u.keyLen]
	if u.existed {
		u.coll.put(subkey, u.old)
		u.coll.restored++
	} else {
		u.coll.delete(subkey)
	}
}

// settleElements is settle for elements. The pointer of an element that was
// deleted later in the transaction may be that of another one by now; what is
// provisional in it belongs to this transaction in any case.
func (tx *Tx) settleElements(files *fileSet, at placed) {
	for i := range tx.elems {
		u := &tx.elems[i]
		if n := u.coll.shard.Load(); n != noShard {
			tx.dirtyShards.Add(int(n))
		}
		if u.existed {
			n := elemRecordBytes(uint64(u.coll.id), u.keyLen, int(u.old.size))
			if u.old.seq&provisionalSeq != 0 {
				addLive(at.file, -n)
			} else {
				addLive(files.bySlot(u.old.recFile), -n)
			}
		}
		if i+1 == len(tx.elems) || tx.elems[i+1].coll != u.coll {
			tx.db.countCollection(u.coll)
		}
		e := u.elem
		if e == nil || e.seq&provisionalSeq == 0 {
			continue
		}
		e.seq = at.base + e.seq&^provisionalSeq
		e.recFile = at.file.slot
		if !e.inline() && e.loc.file() == provisionalFile {
			e.loc = makeLocation(at.file.number, at.offset+e.loc.offset())
		}
	}
}

// dropUnnamed drops the collections that lost their key in this transaction, or
// never got one.
func (tx *Tx) dropUnnamed() {
	for _, c := range tx.colls {
		if tx.db.colls.removeUnnamed(c) {
			tx.db.forgetCollection(c)
			tx.db.reaper.addCollection(c)
		}
	}
}
