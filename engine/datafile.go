package engine

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	lockName = "LOCK"
	// unfinishedName is that of an empty file in a backup that has no MANIFEST yet.
	unfinishedName = "UNFINISHED-BACKUP"
	dataSuffix     = ".data"
	hintSuffix     = ".hint"
	tmpSuffix      = ".tmp"
	// provisionalFile is the file number of a location within the buffer of a
	// transaction that is not committed.
	provisionalFile = 1<<32 - 1
	// unknownFileSlot is the slot of no file.
	unknownFileSlot = 1<<16 - 1
)

// dataFileName and hintFileName make the names that parseFileName parses.
func dataFileName(number uint32) string { return fmt.Sprintf("%010d%s", number, dataSuffix) }
func hintFileName(number uint32) string { return fmt.Sprintf("%010d%s", number, hintSuffix) }

// parseFileName returns the number in the name of a data or hint file, also of a
// temporary one, and what follows the number. ok is false for any other name.
func parseFileName(name string) (number uint32, suffix string, ok bool) {
	digits, rest, found := strings.Cut(name, ".")
	if !found || len(digits) != 10 {
		return 0, "", false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 {
		return 0, "", false
	}
	suffix = "." + rest
	switch suffix {
	case dataSuffix, hintSuffix, dataSuffix + tmpSuffix, hintSuffix + tmpSuffix:
		return uint32(n), suffix, true
	}
	return 0, "", false
}

// IsFileName reports whether name, without a directory, is that of a file which a
// database makes in its directory.
func IsFileName(name string) bool {
	switch name {
	case manifestName, manifestTmpName, reserveName, lockName, syncMarkName, unfinishedName:
		return true
	}
	_, _, ok := parseFileName(name)
	return ok
}

// dataFile is one open data file. Its methods are safe for concurrent use.
type dataFile struct {
	fs     FS
	dir    string
	number uint32
	slot   uint16 // its place in fileSet.slots while it is in the list
	kind   uint32
	salt   uint32
	salted uint32   // saltCRC(salt)
	meta   fileMeta // guarded by DB.filesMu once the file is in the set

	file     File
	hintless atomic.Bool // it is immutable, and its hint file could not be written
	mapped   atomic.Pointer[[]byte]
	warm     atomic.Pointer[warmMap] // nil: not known

	// flushed is the length that the operating system holds; everything past it
	// is in tail. It only grows, by whole frames.
	flushed atomic.Int64
	// tail is what is not flushed or not synced, in order. The slice is
	// immutable, replaced under log.mu.
	tail atomic.Pointer[[]*tailChunk]
	log  logPosition // guarded by log.mu; of log files that are not sealed
	// room serialises what changes the length of the file: reserving room for the
	// active file, and sealing it.
	room sync.Mutex

	live       atomic.Int64 // bytes of the records that the keydir refers to
	total      atomic.Int64 // bytes of all records, without frame headers
	records    atomic.Int64
	tombstones atomic.Int64
	tombBytes  atomic.Int64  // bytes of the tombstones, part of total
	minSeq     atomic.Uint64 // of all records, 0: none
	maxSeq     atomic.Uint64
	sealed     atomic.Bool

	refs    atomic.Int32 // the file set's own, and those of readers that outlive a lock
	removed atomic.Bool  // out of the list: unlink when refs gets to 0
}

// logPosition is how far the parts of the log's work on a file have come. Each
// is an offset; end >= flushed >= synced.
type logPosition struct {
	end       int64 // of the last frame in memory
	synced    int64 // on the disk for certain
	allocated int64 // room that the disk has reserved
	endSeq    uint64
}

// createDataFile makes an empty data file: header written and synced, name in
// the directory synced. It is not in the MANIFEST yet.
func createDataFile(fs FS, dir string, number, kind uint32, uuid [16]byte, nowMs int64) (*dataFile, error) {
	h := fileHeader{magic: magicData, number: number, uuid: uuid, salt: randomUint32(), kind: kind, createdMs: nowMs}
	name := filepath.Join(dir, dataFileName(number))
	f, err := writeFileSynced(fs, name, h.encode())
	if err != nil {
		return nil, errorf("engine: create %s: %w", dataFileName(number), err)
	}
	if err := fs.SyncDir(dir); err != nil {
		return nil, errors.Join(errorf("engine: sync directory: %w", err), f.Close())
	}
	d := newDataFile(fs, dir, f, fileMeta{number: number, kind: kind, salt: h.salt, createdMs: nowMs})
	d.flushed.Store(fileHeaderBytes)
	d.log = logPosition{end: fileHeaderBytes, synced: fileHeaderBytes, allocated: fileHeaderBytes}
	return d, nil
}

func newDataFile(fs FS, dir string, f File, meta fileMeta) *dataFile {
	d := &dataFile{
		fs: fs, dir: dir, number: meta.number, slot: unknownFileSlot, kind: meta.kind,
		salt: meta.salt, salted: saltCRC(meta.salt), meta: meta, file: f,
	}
	d.refs.Store(1)
	return d
}

// openDataFile opens a file that the MANIFEST lists and checks its header.
func openDataFile(fs FS, dir string, meta fileMeta, uuid [16]byte, readOnly bool) (*dataFile, error) {
	name := dataFileName(meta.number)
	f, err := fs.Open(filepath.Join(dir, name), readOnly)
	if err != nil {
		return nil, errorf("engine: open a data file that MANIFEST lists: %w", err)
	}
	d := newDataFile(fs, dir, f, meta)
	if err := d.checkHeader(uuid); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if meta.sealed {
		d.setSealed(meta)
	}
	return d, nil
}

func (d *dataFile) checkHeader(uuid [16]byte) error {
	size, err := d.file.Size()
	if err != nil {
		return err
	}
	b := make([]byte, min(size, fileHeaderBytes))
	if err := readFull(d.file, b, 0); err != nil {
		return err
	}
	h, err := decodeFileHeader(b, d.name(), magicData)
	if err != nil {
		return err
	}
	if h.number != d.number || h.uuid != uuid || h.salt != d.salt || h.kind != d.kind {
		return &CorruptError{File: d.name(), Offset: 0, Reason: fmt.Sprintf(
			"header is of file %d, kind %d, salt %08x, database %x; MANIFEST lists file %d, kind %d, salt %08x, database %x",
			h.number, h.kind, h.salt, h.uuid, d.number, d.kind, d.salt, uuid)}
	}
	if d.meta.sealed && size != d.meta.size {
		return &CorruptError{File: d.name(), Offset: size, Reason: fmt.Sprintf("sealed file has %d bytes, expected %d", size, d.meta.size)}
	}
	return nil
}

func (d *dataFile) name() string { return dataFileName(d.number) }
func (d *dataFile) path() string { return filepath.Join(d.dir, d.name()) }

// setSealed takes over what the footer and the MANIFEST say.
func (d *dataFile) setSealed(meta fileMeta) {
	d.meta = meta
	d.flushed.Store(meta.dataEnd)
	d.records.Store(int64(meta.records))
	d.tombstones.Store(int64(meta.tombstones))
	d.tombBytes.Store(meta.tombBytes)
	d.minSeq.Store(meta.minSeq)
	d.maxSeq.Store(meta.maxSeq)
	d.total.Store(meta.recordBytes)
	d.sealed.Store(true)
}

// tombstoneBytes is the length of the tombstones in the file, and
// addTombstoneBytes counts more of them.
func (d *dataFile) tombstoneBytes() int64     { return d.tombBytes.Load() }
func (d *dataFile) addTombstoneBytes(n int64) { d.tombBytes.Add(n) }

// acquire keeps the file open and on the disk until release, whatever merge does.
func (d *dataFile) acquire() { d.refs.Add(1) }

// release gives up one reference. The last one closes the file, and unlinks it
// if it is no longer in the list.
func (d *dataFile) release() error {
	if d.refs.Add(-1) > 0 {
		return nil
	}
	var err error
	if m := d.mapped.Swap(nil); m != nil {
		err = d.file.Unmap(*m)
	}
	err = errors.Join(err, d.file.Close())
	if !d.removed.Load() {
		return err
	}
	hint := filepath.Join(d.dir, hintFileName(d.number))
	return errors.Join(err, d.fs.Remove(d.path()), removeIfExists(d.fs, hint), d.fs.SyncDir(d.dir))
}

// mapFile maps size bytes for reading. A file system that cannot is fine.
func (d *dataFile) mapFile(size int64) error {
	m, err := d.file.Map(size)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	adviseRandom(m)
	d.warm.Store(newWarmMap(size))
	d.mapped.Store(&m)
	return nil
}

// view returns up to n bytes at offset, as many as there are: of the map, or read
// into scratch, which may be nil. What is not flushed is not seen: see fromTail.
func (d *dataFile) view(offset int64, n int, scratch []byte) ([]byte, error) {
	flushed := d.flushed.Load()
	if offset >= flushed {
		return nil, &CorruptError{File: d.name(), Offset: offset, Reason: fmt.Sprintf("a record is looked for past the end at %d", flushed)}
	}
	n = int(min(int64(n), flushed-offset))
	if m := d.mapped.Load(); m != nil && offset+int64(n) <= int64(len(*m)) {
		return (*m)[offset : offset+int64(n)], nil
	}
	if cap(scratch) < n {
		scratch = make([]byte, n)
	}
	scratch = scratch[:n]
	return scratch, readFull(d.file, scratch, offset)
}

// want is what a record read by its location has to be.
type want struct {
	kind     recordKind
	id       uint64 // space of a head, collection of an element
	key      []byte
	valueLen int
}

// blame says in an error about damage whose value it was that was looked for.
func (w *want) blame(err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	key := fmt.Sprintf("%q", w.key[:min(len(w.key), maxBlamedBytes)])
	if len(w.key) > maxBlamedBytes {
		key += fmt.Sprintf("... of %d bytes", len(w.key))
	}
	if w.kind == kindPut {
		return fmt.Errorf("%w; read for key %s", err, key)
	}
	return fmt.Errorf("%w; read for element %s of collection %d", err, key, w.id)
}

// maxBlamedBytes bounds how much of a key an error shows.
const maxBlamedBytes = 128

// appendRecordValue appends the value of the record at offset to dst, after
// checking the record's checksum, kind, key and length. A fault of the memory
// map (the file was cut, or the disk cannot read it) is an error as well.
func (d *dataFile) appendRecordValue(dst []byte, offset int64, w *want) (_ []byte, err error) {
	if offset >= d.flushed.Load() {
		if out, ok, err := d.fromTail(dst, offset, w); ok {
			return out, err
		}
		// It was written, and dropped from memory, since.
	}
	if d.mapped.Load() != nil {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if p := recover(); p != nil {
				err = d.faultError(offset, p)
			}
		}()
	}
	b, err := d.view(offset, maxRecordOverhead+len(w.key)+w.valueLen, nil)
	if err != nil {
		return dst, err
	}
	return appendWanted(dst, b, d, offset, w)
}

// appendWanted decodes the record at the start of b, checks that it is the one
// wanted and appends its value to dst. d is the file that b is of, nil for the
// buffer of a transaction.
func appendWanted(dst, b []byte, d *dataFile, offset int64, w *want) ([]byte, error) {
	value, err := wantedValue(b, d, offset, w)
	return append(dst, value...), err
}

// wantedValue is appendWanted that returns the value as a part of b.
func wantedValue(b []byte, d *dataFile, offset int64, w *want) ([]byte, error) {
	if w.kind == kindPut {
		if value, ok := putValue(b, uint32(w.id), w.key, w.valueLen); ok {
			return value, nil
		}
	}
	if w.kind == kindElemPut {
		var room [maxElementHead]byte
		head := appendElementHead(room[:0], w.id, len(w.key), w.valueLen)
		if value, ok := elementValue(b, head, w.key, w.valueLen); ok {
			return value, nil
		}
	}
	var r record
	if _, reason := decodeRecord(b, &r); reason != "" {
		return nil, wantedError(d, offset, reason)
	}
	id := uint64(r.space)
	if r.kind == kindElemPut {
		id = r.coll
	}
	if r.kind != w.kind || id != w.id || len(r.value) != w.valueLen || string(r.key) != string(w.key) {
		return nil, wantedError(d, offset, "the record there is another one than the keydir expects")
	}
	return r.value, nil
}

func wantedError(d *dataFile, offset int64, reason string) error {
	name := "the transaction's buffer"
	if d != nil {
		name = d.name()
	}
	return &CorruptError{File: name, Offset: offset, Reason: reason}
}

// faultError turns what a memory fault panicked with into an error. Any other
// panic goes on.
func (d *dataFile) faultError(offset int64, p any) error {
	if fault, ok := p.(interface{ Addr() uintptr }); ok {
		return &CorruptError{File: d.name(), Offset: offset, Reason: fmt.Sprintf("the disk could not read it (fault at address %#x)", fault.Addr())}
	}
	panic(p)
}

// frame is a frame found by a scan.
type frame struct {
	frameHeader
	offset  int64
	payload []byte // valid during the call
	scratch record // of eachRecord

	// Of the records, as checkRecords found them.
	tombstones, tombBytes int64
}

// end is the offset after the frame.
func (f *frame) end() int64 { return f.offset + frameHeaderBytes + int64(len(f.payload)) }

// scanFrames calls fn for each frame from offset from on, up to limit, checking
// headers and lengths; the records are checked by eachRecord. It returns the
// offset at which it stopped, and, if that is not limit, why there is no frame.
func (d *dataFile) scanFrames(from, limit int64, fn func(f *frame) error) (end int64, reason string, err error) {
	r := blockReader{src: d.file, limit: limit}
	f := &frame{}
	for end = from; end < limit; {
		b, err := r.at(end, frameHeaderBytes)
		if err != nil {
			return end, "", err
		}
		h, reason := decodeFrameHeader(b, d.salted)
		if reason != "" {
			return end, reason, nil
		}
		if int64(h.payloadLen) > limit-end-frameHeaderBytes {
			return end, fmt.Sprintf("frame of %d bytes goes past the end", h.payloadLen), nil
		}
		b, err = r.at(end, frameHeaderBytes+int(h.payloadLen))
		if err != nil {
			return end, "", err
		}
		f.frameHeader, f.offset, f.payload = h, end, b[frameHeaderBytes:]
		if err := fn(f); err != nil {
			if bad, is := errors.AsType[*badRecordError](err); is {
				return end, bad.reason, nil
			}
			return end, "", err
		}
		end = f.end()
	}
	return end, "", nil
}

// badRecordError stops scanFrames at the frame that has the record.
type badRecordError struct{ reason string }

func (e *badRecordError) Error() string { return e.reason }

// checkRecords returns how many records tile the payload of f, or a
// badRecordError. It is called before eachRecord, because a frame counts whole.
func (f *frame) checkRecords() (n int, err error) {
	r := &f.scratch
	f.tombstones, f.tombBytes = 0, 0
	for b := f.payload; len(b) > 0; n++ {
		k, reason := decodeRecord(b, r)
		if reason != "" {
			return n, &badRecordError{reason}
		}
		if r.kind == kindTombstone || r.kind == kindElemTombstone {
			f.tombstones++
			f.tombBytes += int64(k)
		}
		b = b[k:]
	}
	if n == 0 {
		return n, &badRecordError{fmt.Sprintf("frame has %d records", n)}
	}
	return n, nil
}

// eachRecord calls fn for each record of a frame, with its sequence number and
// its offset in the file, until fn returns an error.
// REQUIRES: checkRecords returned nil for this payload. So the checksums are not
// looked at again: a payload is a copy in memory, which nothing changes.
func (f *frame) eachRecord(fn func(r *record, seq uint64, offset int64, size int) error) error {
	r := &f.scratch
	seq, offset := f.baseSeq, f.offset+frameHeaderBytes
	for b := f.payload; len(b) > 0; seq++ {
		n, reason := decodeFields(b, r)
		if reason != "" {
			return &badRecordError{reason}
		}
		if err := fn(r, seq, offset, n); err != nil {
			return err
		}
		b = b[n:]
		offset += int64(n)
	}
	return nil
}

// blockReader reads a file front to back in large blocks.
type blockReader struct {
	src   io.ReaderAt
	limit int64
	start int64
	buf   []byte
}

const blockBytes = 1 << 20

// at returns up to n bytes at offset, fewer only where limit is nearer. They are
// valid until the next call.
func (r *blockReader) at(offset int64, n int) ([]byte, error) {
	n = int(min(int64(n), r.limit-offset))
	if offset >= r.start && offset+int64(n) <= r.start+int64(len(r.buf)) {
		return r.buf[offset-r.start:][:n], nil
	}
	size := int(min(max(int64(n), blockBytes), r.limit-offset))
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	if err := readFull(r.src, r.buf, offset); err != nil {
		r.buf = r.buf[:0]
		return nil, err
	}
	r.start = offset
	return r.buf[:n], nil
}

// readFull reads len(b) bytes at offset; fewer is an error.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return errorf("engine: read %d bytes at %d: %w", len(b), offset, err)
}

// writeFileSynced makes a file with contents b, synced. A file of that name is
// what a crash left behind only if it is temporary; then it is replaced.
func writeFileSynced(fs FS, name string, b []byte) (File, error) {
	if strings.HasSuffix(name, tmpSuffix) {
		if err := removeIfExists(fs, name); err != nil {
			return nil, err
		}
	}
	f, err := fs.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), fs.Remove(name))
	}
	return f, nil
}

func removeIfExists(fs FS, name string) error {
	err := fs.Remove(name)
	if isNotExist(err) {
		return nil
	}
	return err
}

func randomUint64() uint64 {
	var b [8]byte
	// crypto/rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func randomUint32() uint32 { return uint32(randomUint64()) }

func randomUUID() (u [16]byte) {
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}
