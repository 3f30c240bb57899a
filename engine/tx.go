package engine

import "fmt"

// CollectionID is the identity of a collection. Its two lowest bits are its
// Order, the others a counter; it is never used again.
type CollectionID uint64

// Order says how the elements of a collection are sorted. The numbers are on
// disk, in a CollectionID: they never change.
type Order uint8

// The orders.
const (
	// OrderHash sorts by a seeded 64-bit hash of the subkey, then by subkey.
	OrderHash Order = 0
	// OrderBytes sorts by the bytes of the subkey.
	OrderBytes Order = 1
	// OrderScore sorts as OrderHash, and keeps a second order by value (which is
	// 8 bytes, compared as bytes) and then by the bytes of the subkey. The two values
	// in the middle, 7fff... and 8000..., are equal in that order.
	OrderScore Order = 2
)

// Order returns the order that the collection was made with.
func (id CollectionID) Order() Order { return Order(id & 3) }

// Head is a copy of what the keydir holds for a key. It is valid until the
// transaction that returned it ends or writes that key.
type Head struct {
	// Tag is the caller's type mark.
	Tag uint8
	// ExpireMs is the absolute expiry in Unix milliseconds; 0 means never. A key
	// whose time has come is still returned: the caller decides.
	ExpireMs int64
	// Size is the length of the value in bytes.
	Size int
	// Version changes with every write of the key and is never 0.
	Version uint64
	// Slot is the number of the key in its shard and keyspace. It does not
	// change while the key lives.
	Slot uint32

	loc   location // as entry.loc
	flags uint8    // as entry.flags
	table *table
	coll  *Collection
}

// Collection returns the collection that the head names, or nil.
func (h *Head) Collection() *Collection { return h.coll }

// Meta is what a head record says besides the key and the value.
type Meta struct {
	Tag      uint8
	ExpireMs int64 // absolute, Unix milliseconds; 0: never
	// Clock is the access clock that the key gets, as by SetClock: 24 bits, not on disk.
	// (SetExpire and Rename leave the clock as it is.)
	Clock uint32
}

// Tx is a transaction over the shards it locked. Its writes are visible to
// itself at once, to others after Commit; Commit puts all of them into the log
// as one frame. A Tx is for one goroutine. Slices passed in are copied where
// they are kept; slices returned are valid until the Tx ends.
//
// A method that takes a key REQUIRES that the Tx holds the key's shard (for
// writing, if the method writes); it panics otherwise, for that is a bug.
//
// How it works: a write changes the keydir at once and appends its record to
// buf. The entry's sequence number and location are provisional, which the
// sequence number's top bit and the file number say. undo remembers what the
// entry was. Commit gives the frame its place in the log and turns provisional
// numbers into real ones; Rollback puts back what undo remembers, last first. A
// deleted key stays as a ghost, in its slot and in the index, until one of the
// two: so a rollback restores it in the same slot, and so does a later Put, which
// is what Scan's promise rests on.
type Tx struct {
	db    *DB
	set   ShardSet
	write bool
	ended bool
	// onlyDeletes is true while no write needs new room for good.
	onlyDeletes bool
	only        int    // the shard of set, if it has one alone, or -1
	temp        int    // shard that WithShard locked, +1; 0: none
	lastTable   *table // of the key that Get found last, in a shard held for writing; or nil
	lastSlot    uint32 // its slot: it stays the key's until the transaction ends
	miss        missedKey
	begun       begunKey
	hint        Hint
	buf         []byte // room for a frame header, then the records
	records     uint64
	tombstones  int64 // how many of the records are tombstones
	tombBytes   int64 // how many bytes those have
	deadBytes   int64 // bytes of records that no entry refers to
	live        int64 // what settle makes of the live bytes of the active file
	dirtyShards ShardSet

	heads  []headUndo
	elems  []elemUndo
	maps   []mapUndo
	colls  []*Collection // made by NewCollection, and those that lost their key
	popped []expiryItem  // scratch of Expired
	run    valueRun      // of ReadMany
	fetch  *Fetch        // what must not be waited for is noted here; nil: it is waited for
}

// Hint tells the transaction where Warm has found the key that it is about, which
// spares it another walk down the index. What came true meanwhile, or of which key
// it was, does not matter: a hint that is wrong does nothing.
func (tx *Tx) Hint(h Hint) { tx.hint = h }

// hinted returns the slot of key if the hint says it. The key in the slot is the
// proof: what is in a table's slots is in its index.
func (t *table) hinted(h Hint, key []byte) (slot uint32, ok bool) {
	slot = uint32(h) - 1
	return slot, h != 0 && t.slots.used(slot) && string(t.slots.key(slot)) == string(key)
}

// missedKey is the key that Find, in a shard held for writing, looked for last in
// vain: the command will mostly make it next.
type missedKey struct {
	table *table // nil: none
	place indexPlace
	len   int
	key   [maxMissedKey]byte // a copy: the caller may have changed its own meanwhile
}

// begunKey is the key that BeginKey was told of, most likely the only one that the
// transaction is about: its shard need not be found out again.
type begunKey struct {
	shard int
	len   int // -1: none
	key   [maxBegunKey]byte
}

// maxBegunKey is the length of the longest key that is remembered so.
const maxBegunKey = 64

// shardOf is DB.ShardOf.
func (tx *Tx) shardOf(key []byte) int {
	if b := &tx.begun; len(key) == b.len && string(b.key[:len(key)]) == string(key) {
		return b.shard
	}
	return tx.db.ShardOf(key)
}

// maxMissedKey is the length of the longest key that is remembered so.
const maxMissedKey = 128

// headUndo is what an entry was before a write.
type headUndo struct {
	table *table
	slot  uint32
	shard uint16
	old   entry
	// keepPut says that the write left the put record of old alone.
	keepPut bool
}

// provisionalSeq marks a sequence number that counts the records of a
// transaction that is not committed, from 0.
const provisionalSeq = 1 << 63

// maxPooledBuf is the largest buffer that a pooled transaction keeps.
const maxPooledBuf = 64 << 10

// Begin locks the shards of set, in ascending order, and returns a transaction
// over them: for reading, together with other readers, or for writing. It must
// be ended by Commit or Rollback. An empty set is allowed: see WithShard.
func (db *DB) Begin(set *ShardSet, write bool) *Tx {
	tx := db.begin(write)
	tx.set, tx.only = *set, -1
	if write {
		set.each(func(i int) { db.shards[i].mu.Lock() })
	} else {
		set.each(func(i int) { db.shards[i].mu.RLock() })
	}
	return tx
}

// BeginShard is Begin with shard i alone, as most transactions are.
func (db *DB) BeginShard(i int, write bool) *Tx {
	tx := db.begin(write)
	tx.set = ShardSet{}
	tx.set.Add(i)
	tx.only = i
	if write {
		db.shards[i].mu.Lock()
	} else {
		db.shards[i].mu.RLock()
	}
	return tx
}

// BeginKey is BeginShard with the shard of key.
func (db *DB) BeginKey(key []byte, write bool) *Tx {
	shard := db.ShardOf(key)
	tx := db.BeginShard(shard, write)
	if len(key) <= maxBegunKey {
		tx.begun.shard, tx.begun.len = shard, copy(tx.begun.key[:], key)
	}
	return tx
}

// begin returns a transaction that has locked nothing.
func (db *DB) begin(write bool) *Tx {
	tx := db.txs.Get().(*Tx)
	tx.write, tx.ended, tx.onlyDeletes = write, false, true
	tx.begun.len, tx.hint = -1, 0
	if write && cap(tx.buf) == 0 {
		tx.buf = make([]byte, frameHeaderBytes, 512)
	}
	return tx
}

// Commit ends the transaction and unlocks. If it wrote, its records are in the
// log's tail, in order, when Commit returns; if that failed, none of its writes
// happened and the error says why (ErrNoSpace, ErrFailed, ErrTooLarge,
// ErrClosed). The result is a sequence number for DB.Ack: acknowledge nothing
// that depends on this transaction before Ack(seq) returned nil. For a
// transaction that only read, it is that of the newest write to its shards.
func (tx *Tx) Commit() (seq uint64, err error) {
	if tx.records == 0 {
		seq = tx.newestSeq()
		if tx.write {
			tx.undoAll() // collections that were made and not used
		}
		tx.end()
		return seq, nil
	}
	at, err := tx.db.log.append(tx.buf, tx.records, tx.onlyDeletes)
	if err != nil {
		tx.undoAll()
		tx.end()
		return 0, err
	}
	seq = at.base + tx.records - 1
	tx.settle(at)
	db, end := tx.db, at.offset+int64(len(tx.buf))
	if tx.only >= 0 {
		db.shards[tx.only].lastSeq = seq
	} else {
		tx.dirtyShards.each(func(i int) { db.shards[i].lastSeq = seq })
	}
	tx.end()
	db.log.afterCommit(at.file, end)
	return seq, nil
}

// newestSeq returns the newest sequence number of the shards held.
func (tx *Tx) newestSeq() (seq uint64) {
	if tx.only >= 0 {
		return tx.db.shards[tx.only].lastSeq
	}
	tx.set.each(func(i int) { seq = max(seq, tx.db.shards[i].lastSeq) })
	return seq
}

// settle makes everything provisional real, now that the frame has its place,
// and lets go of what the transaction took away.
func (tx *Tx) settle(at placed) {
	files := tx.db.files.Load()
	tx.live = int64(len(tx.buf)-frameHeaderBytes) - tx.deadBytes
	if tx.tombstones != 0 {
		at.file.tombstones.Add(tx.tombstones)
		at.file.tombBytes.Add(tx.tombBytes)
	}
	for i := range tx.heads {
		u := &tx.heads[i]
		tx.dirtyShards.Add(int(u.shard))
		tx.retire(files, at.file, u)
		if !u.table.slots.used(u.slot) {
			continue // a ghost that was met before
		}
		c := u.table.slots.cell(u.slot)
		if c.flags()&flagGhost != 0 {
			u.table.removeGhost(u.slot)
			tx.db.countTable(u.table)
			continue
		}
		if u.old.flags&flagGhost != 0 || c.flags()&cellExpireBeside != 0 {
			tx.db.countTable(u.table)
		}
		c.settle(at)
	}
	tx.settleElements(files, at)
	tx.settleMaps(files, at)
	at.file.live.Add(tx.live)
	tx.dropUnnamed()
}

// settle turns the provisional numbers of an entry into real ones.
func (c *cell) settle(at placed) {
	seq := c.seq()
	if seq&provisionalSeq == 0 {
		return
	}
	c.setWord64(cellSeq, at.base+seq&^provisionalSeq)
	c.setRecFile(at.file.slot)
	if loc := c.loc(); c.flags()&flagInline == 0 && loc.file() == provisionalFile {
		c.setLoc(makeLocation(at.file.number, at.offset+loc.offset()))
	}
}

// retire takes the records that a write made useless off the live bytes of their
// files: those of the old entry, or the tombstone or expiry record that the
// write itself left.
func (tx *Tx) retire(files *fileSet, active *dataFile, u *headUndo) {
	if u.old.flags&flagGhost != 0 {
		return
	}
	put, expire := u.table.recordBytes(&u.old)
	if u.keepPut {
		// Only an expire record took the place of another.
	} else if u.old.flags&flagInline == 0 && u.old.loc.file() != provisionalFile {
		tx.countLive(files.get(u.old.loc.file()), active, -put)
	} else {
		tx.retireBySlot(files, active, &u.old, put)
	}
	if expire != 0 {
		tx.retireBySlot(files, active, &u.old, expire)
	}
}

func (tx *Tx) retireBySlot(files *fileSet, active *dataFile, e *entry, n int64) {
	if e.seq&provisionalSeq != 0 {
		tx.live -= n
		return
	}
	tx.countLive(files.bySlot(e.recFile), active, -n)
}

// countLive is addLive, but for the active file, which gets all of it at once.
func (tx *Tx) countLive(f, active *dataFile, n int64) {
	if f == active {
		tx.live += n
		return
	}
	addLive(f, n)
}

func addLive(f *dataFile, n int64) {
	if f != nil {
		f.live.Add(n)
	}
}

// recordBytes returns the lengths of the put record of an entry and of the
// expire record that followed it, if one did.
func (t *table) recordBytes(e *entry) (put, expire int64) {
	var flags uint8
	if e.flags&flagPutExpire != 0 {
		flags |= putHasExpire
	}
	if e.coll != 0 {
		flags |= putHasCollection
	}
	put = putRecordBytes(t.space.id, int(e.keyLen), int(e.size), flags)
	if e.flags&flagExpireRec != 0 {
		expire = expireRecordBytes(t.space.id, int(e.keyLen))
	}
	return put, expire
}

// Rollback ends the transaction, undoes its writes and unlocks.
func (tx *Tx) Rollback() {
	tx.undoAll()
	tx.end()
}

// undoAll puts everything back as it was, last change first.
func (tx *Tx) undoAll() {
	for i := len(tx.elems) - 1; i >= 0; i-- {
		tx.undoElement(&tx.elems[i])
	}
	for i := len(tx.heads) - 1; i >= 0; i-- {
		u := &tx.heads[i]
		is := u.table.slots.at(u.slot)
		u.table.account(&is, &u.old)
		if is.coll != u.old.coll {
			tx.db.colls.moveName(is.coll, u.old.coll, int(u.shard))
		}
		clock := is.clock
		is = u.old
		is.clock = clock
		u.table.slots.set(u.slot, &is)
		if is.flags&flagGhost == 0 && is.expireMs != 0 {
			// Expired may have taken it out of the heap.
			s := &tx.db.shards[u.shard]
			s.expiry.push(is.expireMs, u.table.space.id, u.slot)
		}
	}
	for i := len(tx.maps) - 1; i >= 0; i-- {
		tx.undoMap(&tx.maps[i])
	}
	for i := range tx.heads {
		u := &tx.heads[i]
		if u.table.slots.used(u.slot) && u.table.slots.cell(u.slot).flags()&flagGhost != 0 {
			u.table.removeGhost(u.slot)
			tx.db.countTable(u.table)
		}
	}
	tx.dropUnnamed()
}

// end unlocks and gives the transaction back.
func (tx *Tx) end() {
	if tx.ended {
		panic("engine: transaction ended twice")
	}
	tx.ended = true
	tx.lastTable, tx.miss.table, tx.fetch = nil, nil, nil
	db := tx.db
	switch {
	case tx.only >= 0 && tx.write:
		db.shards[tx.only].mu.Unlock()
	case tx.only >= 0:
		db.shards[tx.only].mu.RUnlock()
	case tx.write:
		tx.set.each(func(i int) { db.shards[i].mu.Unlock() })
	default:
		tx.set.each(func(i int) { db.shards[i].mu.RUnlock() })
	}
	if tx.write {
		clear(tx.heads)
		clear(tx.elems)
		clear(tx.maps)
		clear(tx.colls)
		if cap(tx.buf) > maxPooledBuf {
			tx.buf, tx.heads, tx.elems = nil, nil, nil
		} else {
			tx.buf = tx.buf[:frameHeaderBytes]
		}
		tx.heads, tx.elems, tx.maps, tx.colls = tx.heads[:0], tx.elems[:0], tx.maps[:0], tx.colls[:0]
		tx.records, tx.tombstones, tx.tombBytes, tx.deadBytes, tx.dirtyShards = 0, 0, 0, 0, ShardSet{}
	}
	db.txs.Put(tx)
}

// WithShard calls fn with shard i locked: as the transaction has it locked, or,
// if it does not hold it, read-locked for the length of the call. This is how
// a walk over all keys holds one lock at a time.
func (tx *Tx) WithShard(i int, fn func()) {
	if tx.set.Has(i) {
		fn()
		return
	}
	s := &tx.db.shards[i]
	s.mu.RLock()
	was := tx.temp
	tx.temp = i + 1
	defer func() {
		tx.temp = was
		s.mu.RUnlock()
	}()
	fn()
}

// reading returns a shard that the transaction may read.
func (tx *Tx) reading(i int) *shard {
	if tx.ended || !tx.set.Has(i) && tx.temp != i+1 {
		panic(fmt.Sprintf("engine: transaction does not hold shard %d", i))
	}
	return &tx.db.shards[i]
}

// writing returns a shard that the transaction may write.
func (tx *Tx) writing(i int) *shard {
	if tx.ended || !tx.write || !tx.set.Has(i) {
		panic(fmt.Sprintf("engine: transaction does not hold shard %d for writing", i))
	}
	return &tx.db.shards[i]
}

// Get returns the head of a key. It reads memory only.
func (tx *Tx) Get(space int, key []byte) (h Head, ok bool) {
	ok = tx.Find(space, key, &h)
	return h, ok
}

// Find is Get into h, which is zero if there is no such key. A Head is large:
// handing it from function to function costs as much as the rest of this.
func (tx *Tx) Find(space int, key []byte, h *Head) bool {
	n := tx.shardOf(key)
	t := tx.reading(n).tables[space]
	if t == nil {
		*h = Head{}
		return false
	}
	if !tx.write || !tx.set.Has(n) {
		slot, ok := t.hinted(tx.hint, key)
		if !ok {
			slot, ok = t.index.get(key)
		}
		if ok {
			return tx.db.headInto(h, t, slot)
		}
		*h = Head{}
		return false
	}
	slot, ok := tx.lastSlot, tx.isLast(t, key)
	if !ok {
		slot, ok = t.hinted(tx.hint, key)
	}
	if !ok {
		if slot, ok = t.index.find(key, &tx.miss.place); !ok {
			tx.miss.note(t, key)
			*h = Head{}
			return false
		}
		tx.miss.table = nil
	}
	tx.lastTable, tx.lastSlot = t, slot
	return tx.db.headInto(h, t, slot)
}

// note remembers a key that was looked for in vain; its place is known already.
func (m *missedKey) note(t *table, key []byte) {
	m.table = nil
	if len(key) <= maxMissedKey {
		m.table, m.len = t, copy(m.key[:], key)
	}
}

// is reports whether key is the one that was missed last, and the place still good.
func (m *missedKey) is(t *table, key []byte) bool {
	return m.table == t && string(m.key[:m.len]) == string(key)
}

// slotOf returns the slot of a key, which may be a ghost's. A command that writes
// a key has mostly read it just before: then the index is not asked again.
func (tx *Tx) slotOf(t *table, key []byte) (slot uint32, ok bool) {
	if tx.isLast(t, key) {
		return tx.lastSlot, true
	}
	return t.index.get(key)
}

// isLast reports whether key is the one that Get found last.
func (tx *Tx) isLast(t *table, key []byte) bool {
	return tx.lastTable == t && string(t.slots.key(tx.lastSlot)) == string(key)
}

// head returns what the entry in a slot says; ok is false for a ghost.
func (db *DB) head(t *table, slot uint32) (h Head, ok bool) {
	ok = db.headInto(&h, t, slot)
	return h, ok
}

// headInto is head into h.
func (db *DB) headInto(h *Head, t *table, slot uint32) bool {
	var e entry
	t.slots.read(slot, &e)
	if e.flags&flagGhost != 0 {
		*h = Head{}
		return false
	}
	h.Tag, h.ExpireMs, h.Size, h.Version, h.Slot = e.tag, e.expireMs, int(e.size), e.seq, slot
	h.loc, h.flags, h.table, h.coll = e.loc, e.flags, t, nil
	if e.coll != 0 {
		h.coll = db.colls.at(e.coll)
	}
	return true
}

// AppendValue appends the value of a head to dst. It may read the disk. Bytes
// that fail their checksum are a CorruptError, never data.
func (tx *Tx) AppendValue(dst []byte, h *Head) ([]byte, error) {
	if h.flags&flagInline != 0 {
		return h.loc.appendInline(dst, uint32(h.Size)), nil
	}
	w := want{kind: kindPut, id: uint64(h.table.space.id), key: h.table.slots.key(h.Slot), valueLen: h.Size}
	if h.loc.file() == provisionalFile {
		return appendWanted(dst, tx.buf[h.loc.offset():], nil, h.loc.offset(), &w)
	}
	return tx.readRecord(dst, h.loc, &w)
}

// appendEntryValue appends the value of a committed entry, that of key.
// REQUIRES: the shard is locked.
func (db *DB) appendEntryValue(dst []byte, t *table, e *entry, key []byte) ([]byte, error) {
	if e.flags&flagInline != 0 {
		return e.loc.appendInline(dst, e.size), nil
	}
	w := want{kind: kindPut, id: uint64(t.space.id), key: key, valueLen: int(e.size)}
	return db.readRecord(dst, e.loc, &w)
}

// readRecord appends the value of the record at a location.
func (db *DB) readRecord(dst []byte, loc location, w *want) ([]byte, error) {
	f, err := db.fileAt(loc)
	if err != nil {
		return dst, err
	}
	return db.readFile(f, dst, loc, w)
}

// fileAt returns the file of a location.
func (db *DB) fileAt(loc location) (*dataFile, error) {
	if f := db.files.Load().get(loc.file()); f != nil {
		return f, nil
	}
	return nil, &CorruptError{File: dataFileName(loc.file()), Offset: loc.offset(), Reason: "the keydir refers to a file that is not in the list"}
}

// readFile is readRecord in the file of the location.
func (db *DB) readFile(f *dataFile, dst []byte, loc location, w *want) ([]byte, error) {
	out, err := f.appendRecordValue(dst, loc.offset(), w)
	if err != nil {
		return dst, db.readFailed(w.blame(err))
	}
	return out, nil
}

// readFailed counts a read that found damage.
func (db *DB) readFailed(err error) error {
	if db.closing.Load() {
		return ErrClosed
	}
	db.checksumErrors.Add(1)
	return err
}

// SetTag changes the caller's type mark of a key in the keydir alone: it is not a
// write, nothing goes to the log, and after Open, or a Rollback of something else
// that wrote the key, it is what it was. A later write of the head may put it on
// disk. REQUIRES: the transaction is for writing.
func (tx *Tx) SetTag(h *Head, tag uint8) {
	h.table.slots.cell(h.Slot).setTag(tag)
	h.Tag = tag
}

// SetClock sets the access clock of a key, of 24 bits; it needs only the read
// lock, and it is not a write: nothing goes to the log.
func (tx *Tx) SetClock(h *Head, clock uint32) { h.table.slots.cell(h.Slot).setClock(clock) }

// Clock returns the access clock of a key; 0 if it was never set since Open.
func (tx *Tx) Clock(h *Head) uint32 { return h.table.slots.cell(h.Slot).clock() }
