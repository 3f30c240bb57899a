package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
)

// A hint file holds what the keydir needs of each record of one immutable file:
// all but the values, of which only those are there that the keydir holds itself.
// It is the file header (with the number, salt and kind of the data file), the
// entries, one for each record in the order of the data file, and a trailer:
//
//	entry    kind u8 | seq(z) | offset(v) | fields of the kind
//	  head put           1 | flags u8 | tag u8 | space(v) | keyLen(v) | valueLen(v) |
//	                         [expireMs u64] | [collection u64] | key | [value]
//	  head expire        2 | space(v) | keyLen(v) | expireMs u64 | key
//	  head tombstone     3 | space(v) | keyLen(v) | key
//	  element put        4 | collection(v) | subkeyLen(v) | valueLen(v) | subkey | [value]
//	  element tombstone  5 | collection(v) | subkeyLen(v) | subkey
//	  space map          6 | number(v) | space(v)
//	trailer  dataEnd u64 | entries u64 | crc of the entries u32 | crc of the trailer u32
//
// seq is the difference to the number after that of the entry before, as a zigzag
// varint (so 0 in a log file); offset the difference to that of the entry before.
// A value is there if it has at most 8 bytes. Both checksums begin with the salt.
//
// A hint file is valid if and only if its header names the data file, its
// trailer the same dataEnd and number of records as the footer there, both
// checksums match and all entries decode. One that is not is made again.
const hintTrailerBytes = 24

// hintEncoder builds the entries of a hint file.
type hintEncoder struct {
	b       []byte
	seq     uint64
	offset  int64
	entries uint64
}

func (h *hintEncoder) add(r *record, seq uint64, offset int64) {
	h.b = append(h.b, byte(r.kind))
	h.b = binary.AppendVarint(h.b, int64(seq-h.seq-1))
	h.b = binary.AppendUvarint(h.b, uint64(offset-h.offset))
	h.seq, h.offset = seq, offset
	h.entries++
	v := func(x uint64) { h.b = binary.AppendUvarint(h.b, x) }
	le := binary.LittleEndian
	switch r.kind {
	case kindPut:
		h.b = append(h.b, r.flags, r.tag)
		v(uint64(r.space))
		v(uint64(len(r.key)))
		v(uint64(len(r.value)))
		if r.flags&putHasExpire != 0 {
			h.b = le.AppendUint64(h.b, uint64(r.expireMs))
		}
		if r.flags&putHasCollection != 0 {
			h.b = le.AppendUint64(h.b, r.coll)
		}
		h.b = append(h.b, r.key...)
	case kindExpire:
		v(uint64(r.space))
		v(uint64(len(r.key)))
		h.b = le.AppendUint64(h.b, uint64(r.expireMs))
		h.b = append(h.b, r.key...)
	case kindTombstone:
		v(uint64(r.space))
		v(uint64(len(r.key)))
		h.b = append(h.b, r.key...)
	case kindElemPut:
		v(r.coll)
		v(uint64(len(r.key)))
		v(uint64(len(r.value)))
		h.b = append(h.b, r.key...)
	case kindElemTombstone:
		v(r.coll)
		v(uint64(len(r.key)))
		h.b = append(h.b, r.key...)
	case kindSpaceMap:
		v(uint64(r.number))
		v(uint64(r.space))
	}
	if len(r.value) <= maxInlineBytes {
		h.b = append(h.b, r.value...)
	}
}

// hintDecoder takes the entries of a hint file apart.
type hintDecoder struct {
	f      fieldReader
	seq    uint64
	offset int64
	limit  int64 // no record begins at or after it
}

// next decodes one entry into r. It reports false at the end and, with f.bad set,
// at an entry that is not valid.
func (h *hintDecoder) next(r *loadRecord) bool {
	f := &h.f
	if len(f.b) == 0 {
		return false
	}
	*r = loadRecord{kind: recordKind(f.u8())}
	delta, n := binary.Varint(f.b)
	if n <= 0 {
		f.bad = true
		return false
	}
	f.b = f.b[n:]
	h.seq += uint64(delta) + 1
	h.offset += int64(f.uvarint(uint64(h.limit)))
	hasValue := false
	var keyLen uint64
	switch r.kind {
	case kindPut:
		r.flags, r.tag = f.u8(), f.u8()
		r.space = uint32(f.uvarint(1<<32 - 1))
		keyLen = f.uvarint(MaxKeyBytes)
		r.size, hasValue = uint32(f.uvarint(maxValueBytes)), true
		if r.flags&putHasExpire != 0 {
			r.expireMs = int64(f.u64())
		}
		if r.flags&putHasCollection != 0 {
			r.coll = f.u64()
		}
		f.bad = f.bad || r.flags&^(putHasExpire|putHasCollection) != 0
	case kindExpire:
		r.space = uint32(f.uvarint(1<<32 - 1))
		keyLen = f.uvarint(MaxKeyBytes)
		r.expireMs = int64(f.u64())
	case kindTombstone:
		r.space = uint32(f.uvarint(1<<32 - 1))
		keyLen = f.uvarint(MaxKeyBytes)
	case kindElemPut:
		r.coll = f.uvarint(1<<64 - 1)
		keyLen = f.uvarint(MaxKeyBytes)
		r.size, hasValue = uint32(f.uvarint(maxValueBytes)), true
	case kindElemTombstone:
		r.coll = f.uvarint(1<<64 - 1)
		keyLen = f.uvarint(MaxKeyBytes)
	case kindSpaceMap:
		r.number = uint32(f.uvarint(1<<32 - 1))
		r.space = uint32(f.uvarint(1<<32 - 1))
	default:
		f.bad = true
	}
	r.key = f.bytes(keyLen)
	if hasValue && r.size <= maxInlineBytes {
		r.inline = inlineLocation(f.bytes(uint64(r.size)))
	}
	f.bad = f.bad || h.offset < fileHeaderBytes+frameHeaderBytes || h.offset >= h.limit
	return !f.bad
}

// hintHeader returns the header of the hint file of a data file.
func hintHeader(m *fileMeta, uuid [16]byte) []byte {
	h := fileHeader{magic: magicHint, number: m.number, uuid: uuid, salt: m.salt, kind: m.kind, createdMs: m.createdMs}
	return h.encode()
}

// appendHintTrailer appends the trailer of a hint file to b. crc is that of the entries.
func appendHintTrailer(b []byte, m *fileMeta, entries uint64, crc uint32) []byte {
	le := binary.LittleEndian
	from := len(b)
	b = le.AppendUint64(b, uint64(m.dataEnd))
	b = le.AppendUint64(b, entries)
	b = le.AppendUint32(b, crc)
	return le.AppendUint32(b, crc32.Update(saltCRC(m.salt), castagnoli, b[from:]))
}

// encodeHint returns the hint file of a data file with the given entries.
func encodeHint(m *fileMeta, uuid [16]byte, h *hintEncoder) []byte {
	b := make([]byte, 0, fileHeaderBytes+len(h.b)+hintTrailerBytes)
	b = append(b, hintHeader(m, uuid)...)
	b = append(b, h.b...)
	return appendHintTrailer(b, m, h.entries, crc32.Update(saltCRC(m.salt), castagnoli, h.b))
}

// hintTrailer is the end of a hint file.
type hintTrailer struct {
	dataEnd int64
	records uint64
	crc     uint32 // of the entries
}

const reasonHintChecksum = "checksum of the entries does not match"

// decodeHintTrailer decodes and checks a trailer.
// REQUIRES: b has hintTrailerBytes bytes.
func decodeHintTrailer(b []byte, salt uint32) (t hintTrailer, reason string) {
	le := binary.LittleEndian
	if crc32.Update(saltCRC(salt), castagnoli, b[:20]) != le.Uint32(b[20:]) {
		return t, "trailer checksum does not match"
	}
	t = hintTrailer{dataEnd: int64(le.Uint64(b)), records: le.Uint64(b[8:]), crc: le.Uint32(b[16:])}
	if t.dataEnd < fileHeaderBytes {
		return t, "it is of a data file without data"
	}
	return t, ""
}

// decodeHint checks a hint file but for its entries, which it returns, with the
// end of the data and the number of records that they are for.
func decodeHint(b []byte, name string) (h fileHeader, entries []byte, dataEnd int64, records uint64, err error) {
	if h, err = decodeFileHeader(b, name, magicHint); err != nil {
		return h, nil, 0, 0, err
	}
	corrupt := func(offset int, reason string) error {
		return &CorruptError{File: name, Offset: int64(offset), Reason: reason}
	}
	at := len(b) - hintTrailerBytes
	if at < fileHeaderBytes {
		return h, nil, 0, 0, corrupt(len(b), "it is cut short")
	}
	t, reason := decodeHintTrailer(b[at:], h.salt)
	if reason != "" {
		return h, nil, 0, 0, corrupt(at, reason)
	}
	entries = b[fileHeaderBytes:at]
	if crc32.Update(saltCRC(h.salt), castagnoli, entries) != t.crc {
		return h, nil, 0, 0, corrupt(fileHeaderBytes, reasonHintChecksum)
	}
	return h, entries, t.dataEnd, t.records, nil
}

// unsoundHintError means that a hint file has the right checksums, but an entry that
// does not decode, and that the entries before it were loaded.
type unsoundHintError struct {
	number uint32
	offset int64
}

func (e *unsoundHintError) Error() string {
	return fmt.Sprintf("engine: %s has an entry that is not valid at %d, but the right checksums", hintFileName(e.number), e.offset)
}

// hinted loads an immutable file from its hint file. Nothing is loaded before all
// checksums are found right. The file is read twice for that, in blocks: hint files
// may be large, and there are as many at work as there are processors.
func (ld *loader) hinted(p *feeder, f *loadFile) (err error) {
	if ld.unsound[f.number] {
		return &CorruptError{File: hintFileName(f.number), Offset: 0, Reason: "an entry is not valid"}
	}
	name := hintFileName(f.number)
	file, err := ld.db.opt.FS.Open(filepath.Join(ld.db.dir, name), true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	entriesEnd, err := ld.checkHint(file, name, f)
	if err != nil {
		return err
	}
	d := hintDecoder{limit: f.meta.dataEnd}
	r := &p.blocks
	*r = blockReader{src: file, limit: entriesEnd, buf: r.buf[:0]}
	for at, n := int64(fileHeaderBytes), blockBytes; at < entriesEnd; {
		b, err := r.at(at, n)
		if err != nil {
			return err
		}
		used := p.entries(&d, b)
		at += int64(used)
		n = blockBytes
		switch {
		case at == entriesEnd:
		case used == 0 && len(b) == int(entriesEnd-at):
			return &unsoundHintError{f.number, at}
		case used == 0:
			n = 2 * len(b) // an entry that is longer
		}
	}
	p.progress(f.meta.dataEnd-max(d.offset, fileHeaderBytes), 0)
	return nil
}

// entries takes the whole entries at the start of b, and returns how long they are.
func (p *feeder) entries(d *hintDecoder, b []byte) (used int) {
	var r loadRecord
	d.f = fieldReader{b: b}
	records, from := int64(0), max(d.offset, fileHeaderBytes)
	for {
		seq, offset := d.seq, d.offset
		used = len(b) - len(d.f.b)
		if !d.next(&r) {
			d.seq, d.offset = seq, offset
			p.progress(max(offset, fileHeaderBytes)-from, records)
			return used
		}
		p.add(&r, d.seq, d.offset)
		records++
	}
}

// checkHint checks all of a hint file but what its entries say, and that it is of
// f. It returns where the entries end.
func (ld *loader) checkHint(file File, name string, f *loadFile) (entriesEnd int64, err error) {
	corrupt := func(offset int64, reason string) (int64, error) {
		return 0, &CorruptError{File: name, Offset: offset, Reason: reason}
	}
	size, err := file.Size()
	if err != nil {
		return 0, err
	}
	m := &f.meta
	// No valid hint is longer than its data file by more than this.
	if size > m.size+int64(m.records)*16+fileHeaderBytes+hintTrailerBytes {
		return corrupt(size, "it is longer than its data file allows")
	}
	r := blockReader{src: file, limit: size}
	b, err := r.at(0, fileHeaderBytes)
	if err != nil {
		return 0, err
	}
	h, err := decodeFileHeader(b, name, magicHint)
	if err != nil {
		return 0, err
	}
	entriesEnd = size - hintTrailerBytes
	if entriesEnd < fileHeaderBytes {
		return corrupt(size, "it is cut short")
	}
	crc := saltCRC(h.salt)
	for at := int64(fileHeaderBytes); at < entriesEnd; at += int64(len(b)) {
		if b, err = r.at(at, int(min(blockBytes, entriesEnd-at))); err != nil {
			return 0, err
		}
		crc = crc32.Update(crc, castagnoli, b)
	}
	if b, err = r.at(entriesEnd, hintTrailerBytes); err != nil {
		return 0, err
	}
	t, reason := decodeHintTrailer(b, h.salt)
	switch {
	case reason != "":
		return corrupt(entriesEnd, reason)
	case t.crc != crc:
		return corrupt(fileHeaderBytes, reasonHintChecksum)
	case h.number != m.number || h.salt != m.salt || h.kind != m.kind || h.uuid != ld.db.manifest.uuid ||
		t.dataEnd != m.dataEnd || t.records != m.records:
		return corrupt(0, fmt.Sprintf("it is not of %s as it is now", f.name()))
	}
	return entriesEnd, nil
}

// dumpHint prints the entries of a hint file, one a line. It returns what is
// wrong with the file, or nothing.
func dumpHint(b []byte, printf func(format string, args ...any)) (reason string) {
	h, entries, dataEnd, records, err := decodeHint(b, "it")
	if err != nil {
		return err.Error()
	}
	printf("hint of file %d, kind %s, salt %08x: data end %d, %d records\n", h.number, fileKindName(h.kind), h.salt, dataEnd, records)
	d := hintDecoder{f: fieldReader{b: entries}, limit: dataEnd}
	var r loadRecord
	for d.next(&r) {
		printf("%d seq %d kind %d space %d collection %d key %q size %d expire %d\n",
			d.offset, d.seq, r.kind, r.space, r.coll, r.key, r.size, r.expireMs)
	}
	if d.f.bad {
		return "an entry is not valid"
	}
	return ""
}
