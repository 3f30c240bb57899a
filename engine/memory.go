package engine

import (
	"sync/atomic"
	"unsafe"
)

// memory counts what a database holds in memory, so that reading it is a few
// loads: whoever compares it with a limit does that at every command.
// Transactions bring it up to date under the locks of their shards.
type memory struct {
	keys   atomic.Int64 // first level of the keydir: what is in use
	holes  atomic.Int64 // what it holds beside that: places that deletes left
	colls  atomic.Int64 // all collections, as of their last commit
	expiry atomic.Int64 // the expiry heaps
	tail   atomic.Int64 // the buffers of the log's tail
	fixed  int64        // what an empty database takes; set by Open
	table  int64        // what a table takes before it has a key
}

// MemoryStats is what a database holds in memory, in bytes.
type MemoryStats struct {
	// Keys is the first level of the keydir: entries, keys and their index. Holes
	// is room in there that deleted keys left and that new ones will use: it is
	// held, but counts as free, for deleting single keys seldom gives any back.
	Keys, Holes int64
	// Collections is the second level, Expiry the order of what expires.
	Collections, Expiry int64
	// Tail is the end of the log, which is in memory until it is on the disk, but
	// for the first buffer of it, which is always there and in Fixed.
	Tail int64
	// Cache is what the cache of values holds.
	Cache int64
	// Fixed is what an empty database takes.
	Fixed int64
}

// Memory returns what the database holds in memory. It locks nothing.
func (db *DB) Memory() MemoryStats {
	m := &db.mem
	return MemoryStats{
		Keys: m.keys.Load(), Holes: m.holes.Load(), Collections: m.colls.Load(), Expiry: m.expiry.Load(),
		Tail: max(m.tail.Load()-db.tailBufferBytes(), 0), Cache: db.ValueCacheBytes(), Fixed: m.fixed,
	}
}

// MemoryUsed returns the memory of the keydir, which deleting keys makes less. It
// is cheap.
func (db *DB) MemoryUsed() int64 {
	m := &db.mem
	return m.keys.Load() + m.colls.Load() + m.expiry.Load() + m.fixed
}

// Overheads that the parts do not count themselves: of a collection its places in
// the registry, of a table itself.
const (
	collSlotBytes = int64(unsafe.Sizeof(collSlot{})) + collMapBytes
	collMapBytes  = 24 // of the map from CollectionID to number, about
	tableBytes    = int64(unsafe.Sizeof(table{}))
)

// bytes returns the memory of a table.
func (t *table) bytes() int64 { return tableBytes + t.slots.bytes() + t.index.bytes() }

// countFixed counts what an empty database takes. The tables of the first keyspace
// are part of it, though they come with their first keys: every one of them will,
// and none goes by deleting keys.
func (db *DB) countFixed() {
	db.mem.table = newTable(db.spaces[0].Load(), db.opt.Index).bytes()
	perShard := int64(unsafe.Sizeof(shard{})+unsafe.Sizeof(expiryHeap{})) + 8*int64(db.opt.Spaces)
	perSpace := int64(unsafe.Sizeof(space{})) + 8
	db.mem.fixed = db.tailBufferBytes() + int64(unsafe.Sizeof(*db)) + perSpace*int64(db.opt.Spaces) +
		(perShard+db.mem.table)*int64(len(db.shards))
}

// tailBufferBytes is the size of a buffer of the log's tail.
func (db *DB) tailBufferBytes() int64 { return min(tailChunkBytes, db.opt.DataFileBytes) }

// tableMemory is what a table was counted with.
type tableMemory struct{ used, holes int64 }

// countTable brings db.mem up to date with a table of which keys came or went.
// REQUIRES: the shard is locked for writing.
func (db *DB) countTable(t *table) {
	var is tableMemory
	is.used = t.bytes()
	if t.space.number.Load() == 0 {
		is.used -= min(is.used, db.mem.table) // it is in fixed
	}
	if is.holes = t.slots.freed() + t.index.freed(); t.slots.len() == 0 {
		is.holes = is.used // what an empty table keeps, it keeps for the next key
	}
	is.used -= is.holes
	db.mem.keys.Add(is.used - t.counted.used)
	db.mem.holes.Add(is.holes - t.counted.holes)
	t.counted = is
}

// forgetTable takes a table that was dropped out of db.mem, at once: taking it
// apart is but a matter of time.
func (db *DB) forgetTable(t *table) {
	db.mem.keys.Add(-t.counted.used)
	db.mem.holes.Add(-t.counted.holes)
	t.counted = tableMemory{}
}

// countCollection does the same for a collection. REQUIRES: its shard is locked
// for writing.
func (db *DB) countCollection(c *Collection) {
	n := c.bytes() + collSlotBytes
	db.mem.colls.Add(n - c.counted.Swap(n))
}

// forgetCollection is forgetTable for a collection.
func (db *DB) forgetCollection(c *Collection) { db.mem.colls.Add(-c.counted.Swap(0)) }
