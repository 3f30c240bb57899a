package engine

import (
	"encoding/binary"
	"sync/atomic"
)

// entry is what the keydir holds for one key, unpacked: slotTable.at makes one of
// a cell, and slotTable.set puts it back.
type entry struct {
	loc      location // where the head record is; or the value itself if flagInline
	seq      uint64   // sequence number of the newest record of this key
	expireMs int64    // absolute, Unix milliseconds; 0: never
	size     uint32   // length of the value in bytes
	clock    uint32   // the caller's access clock (LRU or LFU), 24 bits; not on disk
	coll     uint32   // slot of the collection in collections, +1; 0: none
	keyLen   uint32   // set by slotTable alone
	recFile  uint16   // file slot (dataFile.slot) of the record whose sequence number is seq
	tag      uint8    // the caller's type mark
	flags    uint8
}

const (
	// flagInline: the value, of up to 8 bytes, is in loc; pos of the record is
	// then not known to the entry, and the record is live if its seq is entry.seq.
	flagInline uint8 = 1 << 0
	// flagGhost marks an entry that is deleted, but whose slot and key stay until
	// its transaction commits (or, during load, until every file is read).
	flagGhost uint8 = 1 << 1
	// flagPutExpire: the put record of the value has an expire field.
	flagPutExpire uint8 = 1 << 2
	// flagExpireRec: the newest record of the key is an expire record, in recFile.
	flagExpireRec uint8 = 1 << 3

	// The flags above are those of an entry; the following say, in a cell, where
	// the rest of the entry is, and are set by slotTable alone.
	entryFlags uint8 = 1<<4 - 1

	// cellColl: the cell has the collection where it has the size otherwise.
	cellColl uint8 = 1 << 4
	// cellExpireRoom: the expiry, or 0, is in the cell, behind the header.
	cellExpireRoom uint8 = 1 << 5
	// cellExpireBeside: the expiry is in slotTable.expires.
	cellExpireBeside uint8 = 1 << 6
)

// cell is how an entry lies in memory, seven 32-bit words:
//
//	0 1  loc, lower half first
//	2 3  seq, lower half first
//	4    size; or coll, with cellColl
//	5    clock in the lower 24 bits, tag above; read and written atomically, because
//	     the clock changes under the read lock too
//	6    recFile in the lower 16 bits, keyLen in 9, flags in the 7 highest
//
// With cellExpireRoom two words of expireMs follow, lower half first; then the key.
// It has no pointers, so the garbage collector does not look at it. Guarded by the
// lock of its shard.
type cell [cellWords]uint32

const (
	cellWords = 7

	cellLoc     = 0
	cellSeq     = 2
	cellSize    = 4
	cellClock   = 5
	cellMisc    = 6
	clockBits   = 24
	clockMask   = 1<<clockBits - 1
	keyLenShift = 16
	flagsShift  = 25
	keyLenMask  = 1<<(flagsShift-keyLenShift) - 1

	// Two values of keyLen say something else: the key is in slotTable.long, at the
	// place that the word after the header (and expireMs) gives; the cell is unused.
	keyLenLong   = keyLenMask
	keyLenUnused = keyLenMask - 1
	// maxSlotKey is the length of the longest key in a cell.
	maxSlotKey = keyLenUnused - 1
)

func (c *cell) word64(i int) uint64 { return uint64(c[i]) | uint64(c[i+1])<<32 }

func (c *cell) setWord64(i int, v uint64) { c[i], c[i+1] = uint32(v), uint32(v>>32) }

func (c *cell) loc() location { return location(c.word64(cellLoc)) }

func (c *cell) setLoc(l location) { c.setWord64(cellLoc, uint64(l)) }

func (c *cell) seq() uint64 { return c.word64(cellSeq) }

func (c *cell) recFile() uint16 { return uint16(c[cellMisc]) }

func (c *cell) setRecFile(slot uint16) { c[cellMisc] = c[cellMisc]&^0xffff | uint32(slot) }

// flags returns the flags of the entry and of the cell.
func (c *cell) flags() uint8 { return uint8(c[cellMisc] >> flagsShift) }

// plain reports whether all there is to know of the entry is in the header, and that
// it is no ghost: it has no expiry and no collection, and its key is in the cell.
func (c *cell) plain() bool {
	return c.flags()&^flagInline == 0 && c.keyLen() <= maxSlotKey
}

// keyLen returns the length of the key, keyLenLong or keyLenUnused.
func (c *cell) keyLen() uint32 { return c[cellMisc] >> keyLenShift & keyLenMask }

// clockAndTag returns the access clock, and the tag above it.
func (c *cell) clockAndTag() uint32 { return atomic.LoadUint32(&c[cellClock]) }

// clock returns the access clock.
func (c *cell) clock() uint32 { return c.clockAndTag() & clockMask }

// setClock needs only the read lock. The tag does not change meanwhile: that takes
// the write lock.
func (c *cell) setClock(clock uint32) {
	atomic.StoreUint32(&c[cellClock], c.clockAndTag()&^clockMask|clock&clockMask)
}

func (c *cell) setTag(tag uint8) { c[cellClock] = c[cellClock]&clockMask | uint32(tag)<<clockBits }

// location is the file number in the upper 32 bits and the offset of a record
// in that file in the lower 32.
type location uint64

func makeLocation(file uint32, offset int64) location {
	return location(uint64(file)<<32 | uint64(uint32(offset)))
}

func (l location) file() uint32  { return uint32(l >> 32) }
func (l location) offset() int64 { return int64(uint32(l)) }

// inlineLocation keeps a value of up to 8 bytes in place of a location, so that
// two values of 8 bytes compare as their bytes do.
func inlineLocation(value []byte) location {
	var b [8]byte
	copy(b[:], value)
	return location(binary.BigEndian.Uint64(b[:]))
}

// appendInline appends the value of size bytes that inlineLocation kept in l.
func (l location) appendInline(dst []byte, size uint32) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(l))
	return append(dst, b[:size]...)
}
