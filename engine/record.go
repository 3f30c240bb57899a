package engine

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is one change of one key or element. All integers are little endian;
// (v) marks an unsigned varint in its shortest form.
//
//	crc u32 | kind u8 | fields of the kind
//
//	head put           1 | flags u8 | tag u8 | space(v) | keyLen(v) | valueLen(v) |
//	                     [expireMs u64] | [collection u64] | key | value
//	head expire        2 | space(v) | keyLen(v) | expireMs u64 | key
//	head tombstone     3 | space(v) | keyLen(v) | key
//	element put        4 | collection(v) | subkeyLen(v) | valueLen(v) | subkey | value
//	element tombstone  5 | collection(v) | subkeyLen(v) | subkey
//	space map          6 | number(v) | space(v)
//
// crc is the CRC32C of everything after it. The flags of a head put say which of
// the fields in brackets are there. A record has no sequence number of its own:
// it is that of its frame plus its place in it. docs/format.md says the same.
//
// These numbers are on disk. They never change.
type recordKind uint8

const (
	kindPut           recordKind = 1
	kindExpire        recordKind = 2
	kindTombstone     recordKind = 3
	kindElemPut       recordKind = 4
	kindElemTombstone recordKind = 5
	kindSpaceMap      recordKind = 6
)

// isElement reports whether a record is about an element, and not about a key or a
// keyspace.
func (k recordKind) isElement() bool { return k == kindElemPut || k == kindElemTombstone }

const (
	putHasExpire     uint8 = 1 << 0
	putHasCollection uint8 = 1 << 1
)

const (
	// maxRecordOverhead is the most that a record has beside key and value.
	maxRecordOverhead = 4 + 1 + 1 + 1 + 5 + 5 + 5 + 8 + 8
	// maxValueBytes is the longest value; a frame must be able to hold it.
	maxValueBytes = MaxFrameBytes - MaxKeyBytes - maxRecordOverhead
	// maxInlineBytes is the longest value that is kept in the keydir.
	maxInlineBytes = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a decoded record. key is the subkey of an element; key and value
// point into the bytes that were decoded.
type record struct {
	kind     recordKind
	flags    uint8
	tag      uint8
	space    uint32
	number   uint32 // space map: the number that space gets
	coll     uint64
	expireMs int64
	key      []byte
	value    []byte
}

func uvarintLen(x uint64) int {
	n := 1
	for x >= 0x80 {
		x >>= 7
		n++
	}
	return n
}

// putRecordBytes returns the length of a head put.
func putRecordBytes(space uint32, keyLen, valueLen int, flags uint8) int64 {
	n := 7 + uvarintLen(uint64(space)) + uvarintLen(uint64(keyLen)) + uvarintLen(uint64(valueLen))
	if flags&putHasExpire != 0 {
		n += 8
	}
	if flags&putHasCollection != 0 {
		n += 8
	}
	return int64(n) + int64(keyLen) + int64(valueLen)
}

// expireRecordBytes returns the length of a head expire.
func expireRecordBytes(space uint32, keyLen int) int64 {
	return int64(13+uvarintLen(uint64(space))+uvarintLen(uint64(keyLen))) + int64(keyLen)
}

// elemRecordBytes returns the length of an element put.
func elemRecordBytes(coll uint64, keyLen, valueLen int) int64 {
	return int64(5+uvarintLen(coll)+uvarintLen(uint64(keyLen))+uvarintLen(uint64(valueLen))) + int64(keyLen) + int64(valueLen)
}

// appendRecord appends the encoding of r.
func appendRecord(dst []byte, r *record) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(r.kind))
	le := binary.LittleEndian
	switch r.kind {
	case kindPut:
		dst = append(dst, r.flags, r.tag)
		dst = binary.AppendUvarint(dst, uint64(r.space))
		dst = binary.AppendUvarint(dst, uint64(len(r.key)))
		dst = binary.AppendUvarint(dst, uint64(len(r.value)))
		if r.flags&putHasExpire != 0 {
			dst = le.AppendUint64(dst, uint64(r.expireMs))
		}
		if r.flags&putHasCollection != 0 {
			dst = le.AppendUint64(dst, r.coll)
		}
		dst = append(dst, r.key...)
		dst = append(dst, r.value...)
	case kindExpire:
		dst = binary.AppendUvarint(dst, uint64(r.space))
		dst = binary.AppendUvarint(dst, uint64(len(r.key)))
		dst = le.AppendUint64(dst, uint64(r.expireMs))
		dst = append(dst, r.key...)
	case kindTombstone:
		dst = binary.AppendUvarint(dst, uint64(r.space))
		dst = binary.AppendUvarint(dst, uint64(len(r.key)))
		dst = append(dst, r.key...)
	case kindElemPut:
		dst = binary.AppendUvarint(dst, r.coll)
		dst = binary.AppendUvarint(dst, uint64(len(r.key)))
		dst = binary.AppendUvarint(dst, uint64(len(r.value)))
		dst = append(dst, r.key...)
		dst = append(dst, r.value...)
	case kindElemTombstone:
		dst = binary.AppendUvarint(dst, r.coll)
		dst = binary.AppendUvarint(dst, uint64(len(r.key)))
		dst = append(dst, r.key...)
	case kindSpaceMap:
		dst = binary.AppendUvarint(dst, uint64(r.number))
		dst = binary.AppendUvarint(dst, uint64(r.space))
	default:
		panic("engine: unknown record kind")
	}
	le.PutUint32(dst[start:], crc32.Checksum(dst[start+4:], castagnoli))
	return dst
}

// fieldReader takes fields off a byte slice. The first one that is not there
// sets bad, and everything after it is zero.
type fieldReader struct {
	b   []byte
	bad bool
}

func (f *fieldReader) u8() uint8 {
	if len(f.b) < 1 {
		f.bad = true
		return 0
	}
	v := f.b[0]
	f.b = f.b[1:]
	return v
}

func (f *fieldReader) u32() uint32 {
	if len(f.b) < 4 {
		f.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fieldReader) u64() uint64 {
	if len(f.b) < 8 {
		f.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint64(f.b)
	f.b = f.b[8:]
	return v
}

// uvarint takes a varint of at most limit, in its shortest form.
func (f *fieldReader) uvarint(limit uint64) uint64 {
	if len(f.b) > 0 && f.b[0] < 0x80 {
		v := uint64(f.b[0])
		f.b = f.b[1:]
		if v > limit {
			f.bad = true
			return 0
		}
		return v
	}
	v, n := binary.Uvarint(f.b)
	if n <= 0 || v > limit || f.b[n-1] == 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fieldReader) bytes(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

// reasonRecordChecksum is why a record is not valid that has all its fields.
const reasonRecordChecksum = "record checksum does not match"

// decodeRecord decodes the record at the start of b, which may be longer. n is
// its length. A record is valid if and only if (1) its kind is known, (2) every
// field lies within b and its limit, with varints in shortest form, (3) it has
// no flags that are not known, (4) its CRC matches. r keeps pointing into b.
func decodeRecord(b []byte, r *record) (n int, reason string) {
	n, reason = decodeFields(b, r)
	if reason == "" && crc32.Checksum(b[4:n], castagnoli) != binary.LittleEndian.Uint32(b) {
		return 0, reasonRecordChecksum
	}
	return n, reason
}

// decodeFields is decodeRecord without (4), for bytes of which that is known.
func decodeFields(b []byte, r *record) (n int, reason string) {
	f := fieldReader{b: b}
	f.u32() // the checksum
	*r = record{kind: recordKind(f.u8())}
	switch r.kind {
	case kindPut:
		r.flags = f.u8()
		r.tag = f.u8()
		r.space = uint32(f.uvarint(1<<32 - 1))
		keyLen := f.uvarint(MaxKeyBytes)
		valueLen := f.uvarint(maxValueBytes)
		if r.flags&putHasExpire != 0 {
			r.expireMs = int64(f.u64())
		}
		if r.flags&putHasCollection != 0 {
			r.coll = f.u64()
		}
		if r.flags&^(putHasExpire|putHasCollection) != 0 {
			return 0, "record has unknown flags"
		}
		r.key = f.bytes(keyLen)
		r.value = f.bytes(valueLen)
	case kindExpire:
		r.space = uint32(f.uvarint(1<<32 - 1))
		keyLen := f.uvarint(MaxKeyBytes)
		r.expireMs = int64(f.u64())
		r.key = f.bytes(keyLen)
	case kindTombstone:
		r.space = uint32(f.uvarint(1<<32 - 1))
		r.key = f.bytes(f.uvarint(MaxKeyBytes))
	case kindElemPut:
		r.coll = f.uvarint(1<<64 - 1)
		keyLen := f.uvarint(MaxKeyBytes)
		valueLen := f.uvarint(maxValueBytes)
		r.key = f.bytes(keyLen)
		r.value = f.bytes(valueLen)
	case kindElemTombstone:
		r.coll = f.uvarint(1<<64 - 1)
		r.key = f.bytes(f.uvarint(MaxKeyBytes))
	case kindSpaceMap:
		r.number = uint32(f.uvarint(1<<32 - 1))
		r.space = uint32(f.uvarint(1<<32 - 1))
	default:
		return 0, "record of unknown kind"
	}
	if f.bad {
		return 0, "record is cut short"
	}
	return len(b) - len(f.b), ""
}

// A frame is what is written at once: the records of one transaction. It is
// valid or not as a whole.
//
//	magic u16 | flags u16 | payloadLen u32 | baseSeq u64 | knownSynced u32 | crc u32 | payload
//
// crc is the CRC32C of the file's salt and the 20 bytes before it. The payload
// is tiled by records; record i has sequence number baseSeq+i. knownSynced is an
// offset in the same file below which everything was on the disk when the frame
// was made: damage below it is no torn tail.
const (
	frameHeaderBytes = 24
	frameMagic       = 0xB17C
)

const (
	// frameMerged: the frame is a run of records that a merge copied; its sequence
	// numbers are contiguous, those of neighbouring frames are not.
	frameMerged uint16 = 1 << 0
	// frameFooter: the frame is the footer of a sealed file; it has no records.
	frameFooter uint16 = 1 << 1
)

type frameHeader struct {
	flags       uint16
	payloadLen  uint32
	baseSeq     uint64
	knownSynced uint32
}

// saltCRC is the state of a frame checksum after the file's salt.
func saltCRC(salt uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], salt)
	return crc32.Checksum(b[:], castagnoli)
}

// putFrameHeader encodes h into the first frameHeaderBytes of b.
func putFrameHeader(b []byte, h frameHeader, salted uint32) {
	_ = b[frameHeaderBytes-1]
	le := binary.LittleEndian
	le.PutUint16(b[0:], frameMagic)
	le.PutUint16(b[2:], h.flags)
	le.PutUint32(b[4:], h.payloadLen)
	le.PutUint64(b[8:], h.baseSeq)
	le.PutUint32(b[16:], h.knownSynced)
	le.PutUint32(b[20:], crc32.Update(salted, castagnoli, b[:20]))
}

// decodeFrameHeader decodes the header at the start of b. It is valid if and
// only if (1) its magic matches, so zeros are no header, (2) its CRC matches, (3)
// it has no unknown flags.
func decodeFrameHeader(b []byte, salted uint32) (h frameHeader, reason string) {
	if len(b) < frameHeaderBytes {
		return h, "frame header is cut short"
	}
	le := binary.LittleEndian
	if le.Uint16(b) != frameMagic {
		return h, "no frame begins here"
	}
	if crc32.Update(salted, castagnoli, b[:20]) != le.Uint32(b[20:]) {
		return h, "frame header checksum does not match"
	}
	h = frameHeader{
		flags:       le.Uint16(b[2:]),
		payloadLen:  le.Uint32(b[4:]),
		baseSeq:     le.Uint64(b[8:]),
		knownSynced: le.Uint32(b[16:]),
	}
	if h.flags&^(frameMerged|frameFooter) != 0 {
		return h, "frame has unknown flags"
	}
	return h, ""
}

// maxElementHead is the longest that appendElementHead appends.
const maxElementHead = 1 + 10 + 5 + 5

// appendElementHead appends what stands between the checksum and the subkey of an
// element put.
func appendElementHead(dst []byte, coll uint64, keyLen, valueLen int) []byte {
	dst = append(dst, byte(kindElemPut))
	dst = binary.AppendUvarint(dst, coll)
	dst = binary.AppendUvarint(dst, uint64(keyLen))
	return binary.AppendUvarint(dst, uint64(valueLen))
}

// elementValue is decodeRecord for who knows what the element put at the start of
// b has to be: it compares instead of decoding. head is what appendElementHead
// appends. ok is false for anything else, which decodeRecord says more about.
func elementValue(b, head, subkey []byte, valueLen int) (value []byte, ok bool) {
	at := 4 + len(head)
	n := at + len(subkey) + valueLen
	if n > len(b) || string(b[4:at]) != string(head) || string(b[at:at+len(subkey)]) != string(subkey) ||
		crc32.Checksum(b[4:n], castagnoli) != binary.LittleEndian.Uint32(b) {
		return nil, false
	}
	return b[n-valueLen : n : n], true
}

// putValue is the same for a head put with a value alone, whose place in the record
// follows from the lengths: so that the processor asks for all of the record at once,
// not for what the first bytes of it say is next. The tag may be any.
func putValue(b []byte, space uint32, key []byte, valueLen int) (value []byte, ok bool) {
	var room [maxPutHead]byte
	head := binary.AppendUvarint(room[:0], uint64(space))
	head = binary.AppendUvarint(head, uint64(len(key)))
	head = binary.AppendUvarint(head, uint64(valueLen))
	at := putHeadAt + len(head)
	n := at + len(key) + valueLen
	if n > len(b) || crc32.Checksum(b[4:n], castagnoli) != binary.LittleEndian.Uint32(b) || b[4] != byte(kindPut) || b[5] != 0 ||
		string(b[putHeadAt:at]) != string(head) || string(b[at:at+len(key)]) != string(key) {
		return nil, false
	}
	return b[n-valueLen : n : n], true
}

const (
	// putHeadAt is where the numbers of a head put begin, and maxPutHead the most that
	// they take.
	putHeadAt  = 4 + 1 + 1 + 1
	maxPutHead = 5 + 5 + 5
)
