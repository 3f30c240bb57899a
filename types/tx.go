package types

import (
	"errors"

	"bitkv/engine"
)

// Tx is one command's, or one EXEC's, view of a Store. It is for one goroutine
// and must be ended by Commit or Rollback, and not used after that: it is used
// again for another transaction.
type Tx struct {
	s       *Store
	eng     *engine.Tx
	db      int
	nowMs   int64
	write   bool
	noTouch bool
	failed  error // the first write that failed half-way: Commit rolls back

	// What is told to others when the transaction ends.
	hits, misses, dirty, expired, lazyfreed int64
	expiredFields, sanitized, evicted       int64
	events                                  []Event
	ready                                   []ReadyKey // keys that may serve somebody

	late    []lateKey // keys met expired that this transaction could not remove
	scratch []byte    // for short-lived values; whoever uses it calls nobody who does
	arena   []byte    // what collections were loaded into since this command began
}

// lateKey is a key whose time had come.
type lateKey struct {
	db  int
	key string
}

// maxLateKeys bounds what one walk over the keyspace removes when it ends; the
// active expiry takes care of the others.
const maxLateKeys = 128

// maxKeptScratch is how large a scratch buffer may stay in the pool.
const maxKeptScratch = 64 << 10

// Begin locks the shards and starts a transaction on database db. nowMs is taken
// from the clock once: a transaction sees one time.
func (s *Store) Begin(set *ShardSet, write bool, db int) *Tx {
	tx := s.begin(write, db)
	tx.eng = s.eng.Begin(set, write)
	tx.nowMs = s.NowMs()
	return tx
}

// BeginAt is Begin for who knows the time already: nowMs, if the store's clock is
// the system's.
func (s *Store) BeginAt(set *ShardSet, write bool, db int, nowMs int64) *Tx {
	tx := s.begin(write, db)
	tx.eng = s.eng.Begin(set, write)
	tx.nowMs = s.nowOr(nowMs)
	return tx
}

// BeginKey is BeginAt with the shard of one key alone.
func (s *Store) BeginKey(key []byte, write bool, db int, nowMs int64) *Tx {
	tx := s.begin(write, db)
	tx.eng = s.eng.BeginKey(key, write)
	tx.nowMs = s.nowOr(nowMs)
	return tx
}

func (s *Store) begin(write bool, db int) *Tx {
	tx := s.txPool.Get().(*Tx)
	tx.db, tx.write, tx.noTouch = db, write, false
	return tx
}

// nowOr is the time of the store's own clock, or nowMs if it has none.
func (s *Store) nowOr(nowMs int64) int64 {
	if s.clock.Load() != nil {
		return s.NowMs()
	}
	return nowMs
}

// DB is the database that calls work on.
func (tx *Tx) DB() int { return tx.db }

// SetDB changes the database that later calls work on (SELECT inside EXEC).
func (tx *Tx) SetDB(db int) { tx.db = db }

// Hint tells the transaction where Store.Warm has found its key.
func (tx *Tx) Hint(h Hint) { tx.eng.Hint(h) }

// SetNoTouch makes accesses leave the access clocks alone (CLIENT NO-TOUCH).
func (tx *Tx) SetNoTouch(on bool) { tx.noTouch = on }

// NowMs is the time this transaction happens at, in Unix milliseconds.
func (tx *Tx) NowMs() int64 { return tx.nowMs }

// String returns the String commands over this transaction.
func (tx *Tx) String() String { return String{tx} }

// Keyspace returns the commands for keys of any type over this transaction.
func (tx *Tx) Keyspace() Keyspace { return Keyspace{tx} }

// Commit ends the transaction; see engine.Tx.Commit. Keys found expired by a
// transaction that could not delete them are deleted now, in one of their own;
// the result covers that one too. After a method failed in the middle of its
// writes, Commit rolls everything back and returns that error again: a command,
// or an EXEC, happens whole or not at all.
func (tx *Tx) Commit() (seq uint64, err error) {
	if err := tx.failed; err != nil {
		tx.Rollback()
		return 0, err
	}
	seq, err = tx.eng.Commit()
	tx.flushStats(err == nil)
	if err == nil {
		tx.deliver()
	}
	if len(tx.late) > 0 {
		seq = max(seq, tx.s.removeLate(tx.late))
	}
	tx.release()
	return seq, err
}

// Rollback ends the transaction and undoes its writes.
func (tx *Tx) Rollback() {
	tx.eng.Rollback()
	tx.flushStats(false)
	tx.release()
}

// NoWait makes the transaction never wait for the disk: a method that would have to
// returns ErrCold, or goes on with what is not the value, and IsCold says so. The
// transaction must be ended by Abandon then; what it has to be given is noted in f,
// and once that has been read it can be run again, from its beginning.
func (tx *Tx) NoWait(f *Fetch) { tx.eng.NoWait(f) }

// MustWait makes the transaction wait for the disk again.
// REQUIRES: nothing has been read by it.
func (tx *Tx) MustWait() { tx.eng.MustWait() }

// IsCold reports whether the transaction would have had to wait: nothing that it
// returned is to be believed, and it must be ended by Abandon.
func (tx *Tx) IsCold() bool { return tx.eng.IsCold() }

// NoteCold notes the value of a key of the transaction's database, if there is one
// and it is not in memory: a command that IsCold will ask for it. It counts nothing.
func (tx *Tx) NoteCold(key []byte) {
	if h, ok := tx.eng.Get(keySpace(tx.db), key); ok {
		tx.eng.NoteCold(&h)
	}
}

// Abandon is Rollback of a transaction that will be run again: it counts nothing.
func (tx *Tx) Abandon() {
	tx.eng.Rollback()
	tx.release()
}

// skipCold makes of ErrCold no error: whoever looks many values up goes on to the
// next one, so that all of them are noted. The transaction IsCold in any case.
func (tx *Tx) skipCold(err error) error {
	if errors.Is(err, ErrCold) {
		return nil
	}
	return err
}

// beginCommand forgets the collections that earlier commands of the transaction
// looked at. The methods that return a type's commands call it.
func (tx *Tx) beginCommand() { tx.arena = tx.arena[:0] }

// trimArena gives back what was loaded since arena had n bytes.
func (tx *Tx) trimArena(n int) { tx.arena = tx.arena[:n] }

// fail makes Commit fail with err, if it is the first, and returns it.
func (tx *Tx) fail(err error) error {
	if tx.failed == nil {
		tx.failed = err
	}
	return err
}

// release forgets everything about the transaction and gives the Tx back.
func (tx *Tx) release() {
	clear(tx.events)
	clear(tx.late)
	clear(tx.ready)
	scratch, arena := tx.scratch[:0], tx.arena[:0]
	if cap(scratch) > maxKeptScratch {
		scratch = nil
	}
	if cap(arena) > maxKeptScratch {
		arena = nil
	}
	*tx = Tx{s: tx.s, events: tx.events[:0], late: tx.late[:0], ready: tx.ready[:0], scratch: scratch, arena: arena}
	tx.s.txPool.Put(tx)
}

// isExpired reports whether the time of a head has come. In its last
// millisecond a key still lives, as in Redis.
func (tx *Tx) isExpired(h *engine.Head) bool {
	return h.ExpireMs != 0 && tx.nowMs > h.ExpireMs
}

// find returns the head of a key that lives. One whose time has come is removed,
// or kept in mind to be removed.
func (tx *Tx) find(db int, key []byte) (h engine.Head, ok bool) {
	ok = tx.findInto(db, key, &h)
	return h, ok
}

// findInto is find into h, which is zero if there is none; see engine.Tx.Find.
func (tx *Tx) findInto(db int, key []byte, h *engine.Head) bool {
	switch {
	case !tx.eng.Find(keySpace(db), key, h):
		return false
	case tx.isExpired(h):
		tx.dropExpired(db, key, h)
	case hasFieldTTL(h.Tag) && tx.allFieldsExpired(db, key, h):
		tx.dropEmptied(db, key, h)
	default:
		return true
	}
	*h = engine.Head{}
	return false
}

// access says what a lookup for reading leaves behind.
type access uint8

const (
	withTouch access = iota // counts a hit or a miss, sets the access clock
	noTouch                 // counts only
	forced                  // as withTouch, even for a client with NO-TOUCH
)

// read looks a key up for reading.
func (tx *Tx) read(key []byte, a access) (h engine.Head, ok bool) {
	ok = tx.readInto(key, a, &h)
	return h, ok
}

// readInto is read into h; see engine.Tx.Find.
func (tx *Tx) readInto(key []byte, a access, h *engine.Head) bool {
	if !tx.findInto(tx.db, key, h) {
		tx.misses++
		tx.notify(tx.db, key, EventMissed, "keymiss")
		return false
	}
	tx.hits++
	if a == forced || a == withTouch && !tx.noTouch {
		tx.touch(h)
	}
	return true
}

// forWrite looks a key of a database up in order to change it.
func (tx *Tx) forWrite(db int, key []byte) (h engine.Head, ok bool) {
	ok = tx.forWriteInto(db, key, &h)
	return h, ok
}

// forWriteInto is forWrite into h; see engine.Tx.Find.
func (tx *Tx) forWriteInto(db int, key []byte, h *engine.Head) bool {
	ok := tx.findInto(db, key, h)
	if ok && !tx.noTouch {
		tx.touch(h)
	}
	return ok
}

// putMeta is what a head is written with: a key that exists (ok) keeps its access
// clock, a new one gets its first.
func (tx *Tx) putMeta(tag uint8, expireMs int64, old *engine.Head, ok bool) engine.Meta {
	m := engine.Meta{Tag: tag, ExpireMs: expireMs}
	if ok {
		m.Clock = tx.eng.Clock(old)
	} else {
		m.Clock = tx.firstClock()
	}
	return m
}

// remove deletes a key that exists and counts what that leaves to be freed.
func (tx *Tx) remove(db int, key []byte, h *engine.Head) {
	if h.Collection() != nil {
		tx.lazyfreed++
	}
	tx.deleteHead(db, key, h.Tag)
}

// deleteHead deletes a key with all that belongs to it.
func (tx *Tx) deleteHead(db int, key []byte, tag uint8) {
	tx.eng.Delete(keySpace(db), key)
	if hasFieldTTL(tag) {
		tx.eng.Delete(fieldSpace(db), key)
	}
}

// dropExpired removes a key whose time has come, if the transaction can.
func (tx *Tx) dropExpired(db int, key []byte, h *engine.Head) {
	if tx.write && !tx.s.expiryPaused.Load() {
		tx.removeExpired(db, key, h.Tag)
		return
	}
	tx.noteLate(db, key)
}

// noteLate keeps a key in mind that has something to be removed when the
// transaction has ended.
func (tx *Tx) noteLate(db int, key []byte) {
	if !tx.s.expiryPaused.Load() && len(tx.late) < maxLateKeys {
		tx.late = append(tx.late, lateKey{db, string(key)})
	}
}

// removeExpired removes a key whose time has come. It is not a change that a
// save would have to write, so it does not count as dirty.
func (tx *Tx) removeExpired(db int, key []byte, tag uint8) {
	tx.deleteHead(db, key, tag)
	tx.expired++
	tx.touchWatchers(db, key)
	tx.notify(db, key, EventExpired, "expired")
}
