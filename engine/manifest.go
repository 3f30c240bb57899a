package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"sync"
)

// MANIFEST is the list of data files and the only commit point for a change of
// that list. After the file header, padded with zeros to 512 bytes, it is a
// sequence of pages of 512 bytes, the unit that disks write whole. An edit
// takes one page or, if it is longer, several, and counts once its last page is
// there:
//
//	0    magic   u16
//	2    used    u16   bytes of the payload in use
//	4    part    u16   number of this page in its edit, from 0
//	6    parts   u16   number of pages of the edit
//	8    edit    u64   number of the edit, from 1, without gaps
//	16   payload 492 bytes, zeros after used
//	508  crc     u32   CRC32C of the header's salt and the 508 bytes before
//
// A file that ends within an edit, or in zeros, has a torn tail: that edit was
// never acted on, and it is cut. Anything else that is not a valid page is
// corruption. The payload of an edit is a sequence of operations:
//
//	add file     1 | number(v) | kind(v) | salt u32 | createdMs u64
//	seal file    2 | number(v) | size(v) | dataEnd(v) | minSeq(v) | maxSeq(v) |
//	                 records(v) | tombstones(v) | recordBytes(v) | tombstoneBytes(v)
//	remove file  3 | number(v)
//	counters     4 | nextSeq(v) | nextFile(v) | nextCollection(v) | nextSpace(v) | logEnd(v)
//	hash seed    5 | seed u64
//	clean close  6 | 0 or 1 u8
//
// The file is rewritten, through MANIFEST.tmp and a rename, when it grew long or
// when an append to it failed.
const (
	manifestName      = "MANIFEST"
	manifestTmpName   = "MANIFEST.tmp"
	manifestPageBytes = 512
	manifestPayload   = manifestPageBytes - 20
	manifestPageMagic = 0xB1FE
	// manifestRewriteBytes is the length at which a rewrite is considered.
	manifestRewriteBytes = 256 << 10
	// maxManifestBytes bounds what Open reads into memory.
	maxManifestBytes = 1 << 30
)

const (
	opAddFile    uint8 = 1
	opSealFile   uint8 = 2
	opRemoveFile uint8 = 3
	opCounters   uint8 = 4
	opHashSeed   uint8 = 5
	opCleanClose uint8 = 6
)

// fileMeta is what the MANIFEST says about a data file. The fields after sealed
// are 0 until it is set.
type fileMeta struct {
	number      uint32
	kind        uint32
	salt        uint32
	createdMs   int64
	sealed      bool
	size        int64 // of the whole file, footer included
	dataEnd     int64 // where the footer begins
	minSeq      uint64
	maxSeq      uint64
	records     uint64
	tombstones  uint64
	recordBytes int64 // the sum of the lengths of the records, without frame headers
	tombBytes   int64 // how much of it is tombstones
}

// counters are the numbers given out next. Open takes the maximum of these and
// of what it finds in the files.
type counters struct {
	nextSeq   uint64
	nextFile  uint32
	nextColl  uint64 // the counter, without the order bits
	nextSpace uint32
	// logEnd is the sequence number that the first frame has to have which is in
	// no sealed file: damage at the end of the log is told from a gap by it.
	logEnd uint64
}

func (c *counters) raise(d counters) {
	c.nextSeq = max(c.nextSeq, d.nextSeq)
	c.nextFile = max(c.nextFile, d.nextFile)
	c.nextColl = max(c.nextColl, d.nextColl)
	c.nextSpace = max(c.nextSpace, d.nextSpace)
	c.logEnd = max(c.logEnd, d.logEnd)
}

// manifestState is the sum of all edits.
type manifestState struct {
	files    map[uint32]fileMeta
	counters counters
	hashSeed uint64
	clean    bool
}

// manifestEdit is one change of the file set; all of it happens or nothing.
type manifestEdit struct {
	add      []fileMeta // sealed ones too
	seal     []fileMeta
	remove   []uint32
	counters *counters
	hashSeed *uint64
	clean    *bool
}

func (e *manifestEdit) encode() []byte {
	var b []byte
	le := binary.LittleEndian
	v := func(x uint64) { b = binary.AppendUvarint(b, x) }
	if e.hashSeed != nil {
		b = le.AppendUint64(append(b, opHashSeed), *e.hashSeed)
	}
	seal := e.seal
	for _, f := range e.add {
		b = append(b, opAddFile)
		v(uint64(f.number))
		v(uint64(f.kind))
		b = le.AppendUint32(b, f.salt)
		b = le.AppendUint64(b, uint64(f.createdMs))
		if f.sealed {
			seal = append(slices.Clip(seal), f)
		}
	}
	for _, f := range seal {
		b = append(b, opSealFile)
		v(uint64(f.number))
		v(uint64(f.size))
		v(uint64(f.dataEnd))
		v(f.minSeq)
		v(f.maxSeq)
		v(f.records)
		v(f.tombstones)
		v(uint64(f.recordBytes))
		v(uint64(f.tombBytes))
	}
	for _, n := range e.remove {
		b = append(b, opRemoveFile)
		v(uint64(n))
	}
	if c := e.counters; c != nil {
		b = append(b, opCounters)
		v(c.nextSeq)
		v(uint64(c.nextFile))
		v(c.nextColl)
		v(uint64(c.nextSpace))
		v(c.logEnd)
	}
	if e.clean != nil {
		b = append(b, opCleanClose, 0)
		if *e.clean {
			b[len(b)-1] = 1
		}
	}
	return b
}

// apply adds an encoded edit to the state. An error says what is wrong with it;
// the state is then not to be used.
func (s *manifestState) apply(b []byte) error {
	f := fieldReader{b: b}
	const max32, max63, max64 = 1<<32 - 1, 1<<63 - 1, 1<<64 - 1
	for len(f.b) > 0 && !f.bad {
		op := f.u8()
		switch op {
		case opAddFile:
			m := fileMeta{number: uint32(f.uvarint(max32)), kind: uint32(f.uvarint(max32)), salt: f.u32(), createdMs: int64(f.u64())}
			if _, ok := s.files[m.number]; ok {
				return fmt.Errorf("file %d is added twice", m.number)
			}
			s.files[m.number] = m
		case opSealFile:
			number := uint32(f.uvarint(max32))
			m, ok := s.files[number]
			if !ok {
				return fmt.Errorf("file %d is sealed but not in the list", number)
			}
			m.sealed = true
			m.size, m.dataEnd = int64(f.uvarint(max63)), int64(f.uvarint(max63))
			m.minSeq, m.maxSeq = f.uvarint(max64), f.uvarint(max64)
			m.records, m.tombstones = f.uvarint(max64), f.uvarint(max64)
			m.recordBytes, m.tombBytes = int64(f.uvarint(max63)), int64(f.uvarint(max63))
			s.files[number] = m
			if m.kind == fileLog && m.records > 0 {
				s.counters.logEnd = max(s.counters.logEnd, m.maxSeq+1)
			}
		case opRemoveFile:
			number := uint32(f.uvarint(max32))
			if _, ok := s.files[number]; !ok {
				return fmt.Errorf("file %d is removed but not in the list", number)
			}
			delete(s.files, number)
		case opCounters:
			s.counters.raise(counters{f.uvarint(max64), uint32(f.uvarint(max32)), f.uvarint(max64), uint32(f.uvarint(max32)), f.uvarint(max64)})
		case opHashSeed:
			s.hashSeed = f.u64()
		case opCleanClose:
			s.clean = f.u8() != 0
		default:
			return fmt.Errorf("unknown operation %d", op)
		}
	}
	if f.bad {
		return errors.New("an operation is cut short")
	}
	return nil
}

func (s *manifestState) clone() manifestState {
	c := *s
	c.files = maps.Clone(s.files)
	return c
}

// snapshot is an edit that makes s out of nothing.
func (s *manifestState) snapshot() *manifestEdit {
	e := &manifestEdit{counters: &s.counters, hashSeed: &s.hashSeed, clean: &s.clean}
	for _, n := range slices.Sorted(maps.Keys(s.files)) {
		e.add = append(e.add, s.files[n])
	}
	return e
}

// appendManifestPages appends the pages of one encoded edit.
func appendManifestPages(dst []byte, payload []byte, edit uint64, salted uint32) ([]byte, error) {
	parts := max(1, (len(payload)+manifestPayload-1)/manifestPayload)
	if parts > 1<<16-1 {
		return dst, errorf("%w: an edit of MANIFEST of %d bytes", ErrTooLarge, len(payload))
	}
	le := binary.LittleEndian
	for part := range parts {
		var page [manifestPageBytes]byte
		n := copy(page[16:508], payload)
		payload = payload[n:]
		le.PutUint16(page[0:], manifestPageMagic)
		le.PutUint16(page[2:], uint16(n))
		le.PutUint16(page[4:], uint16(part))
		le.PutUint16(page[6:], uint16(parts))
		le.PutUint64(page[8:], edit)
		le.PutUint32(page[508:], crc32.Update(salted, castagnoli, page[:508]))
		dst = append(dst, page[:]...)
	}
	return dst, nil
}

type manifestPage struct {
	part, parts uint16
	edit        uint64
	payload     []byte
}

// decodeManifestPage decodes one page. zero says that it is all zeros.
func decodeManifestPage(b []byte, salted uint32) (p manifestPage, zero bool, reason string) {
	le := binary.LittleEndian
	if allZero(b) {
		return p, true, "page is all zeros"
	}
	if le.Uint16(b) != manifestPageMagic {
		return p, false, "no page begins here"
	}
	if crc32.Update(salted, castagnoli, b[:508]) != le.Uint32(b[508:]) {
		return p, false, "page checksum does not match"
	}
	p = manifestPage{part: le.Uint16(b[4:]), parts: le.Uint16(b[6:]), edit: le.Uint64(b[8:])}
	used := int(le.Uint16(b[2:]))
	if used > manifestPayload || p.part >= p.parts {
		return p, false, "page numbers are out of range"
	}
	p.payload = b[16 : 16+used]
	return p, false, ""
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// decodeManifest reads a whole MANIFEST. end is where its last whole edit ends
// and edits the number of that edit; bytes after end are a torn tail.
func decodeManifest(b []byte) (h fileHeader, s manifestState, end int64, edits uint64, err error) {
	s.files = make(map[uint32]fileMeta)
	corrupt := func(offset int64, reason string) error {
		return &CorruptError{File: manifestName, Offset: offset, Reason: reason}
	}
	if h, err = decodeFileHeader(b, manifestName, magicManifest); err != nil {
		return h, s, 0, 0, err
	}
	if len(b) < manifestPageBytes || !allZero(b[fileHeaderBytes:manifestPageBytes]) {
		return h, s, 0, 0, corrupt(fileHeaderBytes, "the first page is not a header padded with zeros")
	}
	salted := saltCRC(h.salt)
	end = manifestPageBytes
	var payload []byte
	part := 0
	for off := end; off+manifestPageBytes <= int64(len(b)); off += manifestPageBytes {
		p, zero, reason := decodeManifestPage(b[off:off+manifestPageBytes], salted)
		if zero {
			if tailReason := checkManifestTail(b[off:], salted, edits+1); tailReason != "" {
				return h, s, end, edits, corrupt(off, tailReason)
			}
			break
		}
		if reason == "" && (p.edit != edits+1 || int(p.part) != part) {
			reason = fmt.Sprintf("page is part %d of edit %d, expected part %d of edit %d", p.part, p.edit, part, edits+1)
		}
		if reason != "" {
			return h, s, end, edits, corrupt(off, reason)
		}
		payload = append(payload, p.payload...)
		if part++; part < int(p.parts) {
			continue
		}
		if err := s.apply(payload); err != nil {
			return h, s, end, edits, corrupt(off, err.Error())
		}
		payload, part = payload[:0], 0
		edits++
		end = off + manifestPageBytes
	}
	if edits == 0 {
		return h, s, end, edits, corrupt(end, "it has no edit")
	}
	return h, s, end, edits, nil
}

// checkManifestTail looks at what follows a page of zeros: zeros, and pages of
// the edit that was being written, which the disk may have taken out of order.
// A page of a later edit proves that the zeros are damage.
func checkManifestTail(b []byte, salted uint32, edit uint64) (reason string) {
	for ; len(b) >= manifestPageBytes; b = b[manifestPageBytes:] {
		p, zero, reason := decodeManifestPage(b[:manifestPageBytes], salted)
		if zero {
			continue
		}
		if reason != "" || p.edit != edit {
			return "a page of zeros lies between others"
		}
	}
	return ""
}

// manifest is the open MANIFEST. Safe for concurrent use.
type manifest struct {
	fs   FS
	dir  string
	uuid [16]byte

	mu     sync.Mutex // guards following; the disk is waited for under it
	file   File
	header fileHeader
	end    int64
	edits  uint64
	dirty  bool // an append failed: the next edit must rewrite the file
	state  manifestState
}

// edit makes e durable, then part of the state. After an error nothing is known
// about the file but that a later success repairs it: REQUIRES of the caller
// that it removes no file whose place in the list depends on the outcome.
func (m *manifest) edit(e *manifestEdit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	payload := e.encode()
	next := m.state.clone()
	if err := next.apply(payload); err != nil {
		return errorf("engine: edit MANIFEST: %w", err)
	}
	if !m.dirty && m.end < manifestRewriteBytes+int64(len(next.files))*256 {
		if err := m.appendLocked(payload); err == nil {
			m.state = next
			return nil
		}
		m.dirty = true
	}
	if err := m.rewriteLocked(&next); err != nil {
		return errorf("engine: edit MANIFEST: %w", err)
	}
	m.state = next
	return nil
}

func (m *manifest) appendLocked(payload []byte) error {
	pages, err := appendManifestPages(nil, payload, m.edits+1, saltCRC(m.header.salt))
	if err != nil {
		return err
	}
	if _, err := m.file.WriteAt(pages, m.end); err != nil {
		return err
	}
	if err := m.file.Sync(); err != nil {
		return err
	}
	m.end += int64(len(pages))
	m.edits++
	return nil
}

// rewriteLocked writes s as a new MANIFEST. The commit point is the rename.
func (m *manifest) rewriteLocked(s *manifestState) error {
	h := m.header
	h.salt = randomUint32()
	b := append(h.encode(), make([]byte, manifestPageBytes-fileHeaderBytes)...)
	b, err := appendManifestPages(b, s.snapshot().encode(), 1, saltCRC(h.salt))
	if err != nil {
		return err
	}
	tmp, final := filepath.Join(m.dir, manifestTmpName), filepath.Join(m.dir, manifestName)
	f, err := writeFileSynced(m.fs, tmp, b)
	if err != nil {
		return err
	}
	// The old file stays open until the new one is in place under its name.
	if err := m.fs.Rename(tmp, final); err != nil {
		return errors.Join(err, f.Close())
	}
	old := m.file
	m.file, m.header, m.end, m.edits = f, h, int64(len(b)), 1
	m.dirty = true // until the directory is synced, the old file may come back.
	if old != nil {
		if err := old.Close(); err != nil {
			return err
		}
	}
	if err := m.fs.SyncDir(m.dir); err != nil {
		return err
	}
	m.dirty = false
	return nil
}

// snapshotState returns a copy of the state.
func (m *manifest) snapshotState() manifestState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

func (m *manifest) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	m.file = nil
	return err
}

// createManifest makes the MANIFEST of a new database.
func createManifest(fs FS, dir string, nowMs int64) (*manifest, error) {
	m := &manifest{fs: fs, dir: dir}
	m.header = fileHeader{magic: magicManifest, createdMs: nowMs}
	m.header.uuid = randomUUID()
	m.uuid = m.header.uuid
	m.state = manifestState{
		files:    make(map[uint32]fileMeta),
		counters: counters{nextSeq: 1, nextFile: 1, nextColl: 1, nextSpace: firstFreshSpace, logEnd: 1},
		hashSeed: randomUint64(),
	}
	if err := m.rewriteLocked(&m.state); err != nil {
		return nil, errorf("engine: create MANIFEST: %w", err)
	}
	return m, nil
}

// openManifest opens the MANIFEST of dir and changes nothing. torn is the length
// of its torn tail. Before the first edit, the caller has to call renew.
func openManifest(fs FS, dir string, readOnly bool) (m *manifest, torn int64, err error) {
	f, err := fs.Open(filepath.Join(dir, manifestName), readOnly)
	if err != nil {
		return nil, 0, err
	}
	m = &manifest{fs: fs, dir: dir, file: f}
	if torn, err = m.load(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return m, torn, nil
}

// renew writes what was read again, as a new file: after a sync that failed, what
// a program reads may be in the system's memory only, and syncing the same pages
// again would not write them. The torn tail goes with that.
func (m *manifest) renew() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.rewriteLocked(&m.state); err != nil {
		return errorf("engine: write MANIFEST: %w", err)
	}
	return nil
}

func (m *manifest) load() (torn int64, err error) {
	size, err := m.file.Size()
	if err != nil {
		return 0, err
	}
	if size > maxManifestBytes {
		return 0, &CorruptError{File: manifestName, Offset: 0, Reason: fmt.Sprintf("it has %d bytes", size)}
	}
	b := make([]byte, size)
	if err := readFull(m.file, b, 0); err != nil {
		return 0, inFile(manifestName, err)
	}
	m.header, m.state, m.end, m.edits, err = decodeManifest(b)
	m.uuid = m.header.uuid
	return size - m.end, err
}
