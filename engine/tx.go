package engine

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
	// 8 bytes, compared as bytes) and then by the bytes of the subkey.
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

	entry *entry
	coll  *Collection
}

// Collection returns the collection that the head names, or nil.
func (h *Head) Collection() *Collection { return h.coll }

// Meta is what a head record says besides the key and the value.
type Meta struct {
	Tag      uint8
	ExpireMs int64 // absolute, Unix milliseconds; 0: never
	// Clock is the access clock that the key gets, as by SetClock; not on disk.
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
type Tx struct {
	db *DB
	// E1 owns the rest.
}

// Begin locks the shards of set, in ascending order, and returns a transaction
// over them: for reading, together with other readers, or for writing. It must
// be ended by Commit or Rollback. An empty set is allowed: see WithShard.
func (db *DB) Begin(set *ShardSet, write bool) *Tx { panic("E1") }

// Commit ends the transaction and unlocks. If it wrote, its records are in the
// log's tail, in order, when Commit returns; if that failed, none of its writes
// happened and the error says why (ErrNoSpace, ErrFailed, ErrTooLarge,
// ErrClosed). The result is a sequence number for DB.Ack: acknowledge nothing
// that depends on this transaction before Ack(seq) returned nil. For a
// transaction that only read, it is that of the newest write to its shards.
func (tx *Tx) Commit() (seq uint64, err error) { panic("E1") }

// Rollback ends the transaction, undoes its writes and unlocks.
func (tx *Tx) Rollback() { panic("E1") }

// Wrote reports whether the transaction has made any change so far.
func (tx *Tx) Wrote() bool { panic("E1") }

// WithShard calls fn with shard i locked: as the transaction has it locked, or,
// if it does not hold it, read-locked for the length of the call. This is how
// a walk over all keys holds one lock at a time.
func (tx *Tx) WithShard(i int, fn func()) { panic("E1") }

// Holds reports whether the transaction holds shard i from Begin on.
func (tx *Tx) Holds(i int) bool { panic("E1") }

// Get returns the head of a key. It reads memory only.
func (tx *Tx) Get(space int, key []byte) (Head, bool) { panic("E1") }

// AppendValue appends the value of a head to dst. It may read the disk. Bytes
// that fail their checksum are a CorruptError, never data.
func (tx *Tx) AppendValue(dst []byte, h *Head) ([]byte, error) { panic("E1") }

// Put writes a head with a value, over whatever the key was. A collection that
// the key named is dropped.
func (tx *Tx) Put(space int, key []byte, m Meta, value []byte) error { panic("E1") }

// PutCollection writes a head that names c, which NewCollection of this
// transaction returned or another key named until now. value is kept in the
// head beside it and may be empty.
func (tx *Tx) PutCollection(space int, key []byte, m Meta, c *Collection, value []byte) error {
	panic("E1")
}

// SetExpire changes the expiry of a key that exists, without reading or
// rewriting its value. It reports whether the key exists.
func (tx *Tx) SetExpire(space int, key []byte, expireMs int64) bool { panic("E1") }

// Delete removes a key, and the collection that it names. It reports whether
// the key existed.
func (tx *Tx) Delete(space int, key []byte) bool { panic("E1") }

// Rename moves a key with its value or its collection to another name, over
// whatever the destination was, with the expiry unchanged. It writes the head
// again and a tombstone; elements are not touched. It reports whether the source exists.
func (tx *Tx) Rename(fromSpace int, from []byte, toSpace int, to []byte) (bool, error) { panic("E1") }

// SetClock sets the access clock of a key; it needs only the read lock, and it
// is not a write: nothing goes to the log.
func (tx *Tx) SetClock(h *Head, clock uint32) { panic("E1") }

// Clock returns the access clock of a key; 0 if it was never set since Open.
func (tx *Tx) Clock(h *Head) uint32 { panic("E1") }

// Scan calls fn for keys of one shard of a keyspace, in the order of their
// slots, beginning at slot from, until fn returns false or the shard ends. It
// returns the slot to go on from, and whether the shard ended. A key that
// exists during a whole walk from slot 0 on is met exactly once.
// REQUIRES: the shard is locked (Begin or WithShard). key is valid during fn.
func (tx *Tx) Scan(space, shard int, from uint32, fn func(key []byte, h Head) bool) (next uint32, end bool) {
	panic("E1")
}

// AscendPrefix calls fn for the keys of one shard of a keyspace that begin with
// prefix, in ascending order, until fn returns false. REQUIRES: as Scan.
func (tx *Tx) AscendPrefix(space, shard int, prefix []byte, fn func(key []byte, h Head) bool) {
	panic("E1")
}

// ShardLen returns the number of keys in one shard of a keyspace, expired ones
// included. REQUIRES: as Scan.
func (tx *Tx) ShardLen(space, shard int) int { panic("E1") }

// Random returns a key of the shard chosen uniformly among its keys, given a
// source of random numbers. ok is false if the shard has none. REQUIRES: as Scan.
func (tx *Tx) Random(space, shard int, rnd func(n uint32) uint32) (key []byte, h Head, ok bool) {
	panic("E1")
}

// Expired calls fn for up to limit keys of the shard, of all keyspaces, whose
// expiry is at or before nowMs, earliest first, until fn returns false. fn may
// delete the key it is given, and only that key.
func (tx *Tx) Expired(shard int, nowMs int64, limit int, fn func(space int, key []byte, h Head) bool) {
	panic("E1")
}

// ClearSpace removes every key of a keyspace, with one record. REQUIRES: all
// shards locked for writing. It returns the number of keys removed. The memory
// is given back in the background.
func (tx *Tx) ClearSpace(space int) int { panic("E1") }

// SwapSpaces exchanges two keyspaces, with one record. REQUIRES: all shards
// locked for writing.
func (tx *Tx) SwapSpaces(a, b int) { panic("E1") }

// NewCollection makes an empty collection. It comes to life when PutCollection
// gives it to a key; otherwise it is gone when the transaction ends.
func (tx *Tx) NewCollection(order Order) *Collection { panic("E1") }

// GetElement returns an element of a collection. It reads memory only.
func (tx *Tx) GetElement(c *Collection, subkey []byte) (Element, bool) { panic("E1") }

// AppendElementValue appends the value of an element to dst; as AppendValue.
func (tx *Tx) AppendElementValue(dst []byte, e *Element) ([]byte, error) { panic("E1") }

// PutElement writes an element. It reports whether the subkey is new.
func (tx *Tx) PutElement(c *Collection, subkey, value []byte) (bool, error) { panic("E1") }

// DeleteElement removes an element. It reports whether it existed.
func (tx *Tx) DeleteElement(c *Collection, subkey []byte) bool { panic("E1") }
