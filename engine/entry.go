package engine

import "encoding/binary"

// entry is what the keydir holds for one key. It has no pointers, so a slab of
// entries costs the garbage collector nothing. Guarded by the lock of its shard,
// except clock, which is read and written atomically under the read lock too.
type entry struct {
	loc      location // where the head record is; or the value itself if flagInline
	seq      uint64   // sequence number of the newest record of this key
	expireMs int64    // absolute, Unix milliseconds; 0: never
	size     uint32   // length of the value in bytes
	clock    uint32   // the caller's access clock (LRU or LFU); not on disk
	coll     uint32   // slot of the collection in collections, +1; 0: none
	keyLen   uint32   // set and used by slotTable alone
	keyRef   uint32   // set and used by slotTable alone
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
	flagGhost uint8 = 1 << 2
	// flagPutExpire: the put record of the value has an expire field.
	flagPutExpire uint8 = 1 << 3
	// flagExpireRec: the newest record of the key is an expire record, in recFile.
	flagExpireRec uint8 = 1 << 4
)

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
