package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
)

// SYNCED says how far the newest data file was on the disk at the last sync. Each
// frame says that of the frames before it; SYNCED says it of the last ones, so
// that damage there is not taken for a torn tail. It is a file header, and then
//
//	64  number u32   of the data file
//	68  zero   u32
//	72  offset u64   everything before it was on the disk
//	80  crc    u32   CRC32C of the header's salt and the 16 bytes before
//
// It is written after the sync that it tells of and not synced itself: so what
// it says is true whenever it can be read, though it may be old, and a file that
// is missing or damaged says nothing. It lies in one sector.
const (
	syncMarkName  = "SYNCED"
	magicSyncMark = "BITKVSYN"
	syncMarkBytes = fileHeaderBytes + 20
)

// syncMark is the open file SYNCED.
type syncMark struct {
	file   File
	salted uint32
	failed bool // what it says may be old; it is written no more
}

// open makes the file anew. A crash in between leaves none, which is fine.
func (m *syncMark) open(fs FS, dir string, uuid [16]byte) error {
	name := filepath.Join(dir, syncMarkName)
	if err := removeIfExists(fs, name); err != nil {
		return err
	}
	f, err := fs.Create(name)
	if err != nil {
		return err
	}
	h := fileHeader{magic: magicSyncMark, uuid: uuid, salt: randomUint32()}
	if _, err := f.WriteAt(append(h.encode(), make([]byte, syncMarkBytes-fileHeaderBytes)...), 0); err != nil {
		return errors.Join(err, f.Close())
	}
	m.file, m.salted = f, saltCRC(h.salt)
	return nil
}

// write says that everything before end is on the disk. It is a help for finding
// damage, not a promise: an error only ends it.
func (m *syncMark) write(end fileEnd) {
	if m.file == nil || m.failed {
		return
	}
	b := make([]byte, 0, syncMarkBytes-fileHeaderBytes)
	le := binary.LittleEndian
	b = le.AppendUint32(b, end.file.number)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, uint64(end.offset))
	b = le.AppendUint32(b, crc32.Update(m.salted, castagnoli, b))
	_, err := m.file.WriteAt(b, fileHeaderBytes)
	m.failed = err != nil
}

func (m *syncMark) close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

// readSyncMark returns what SYNCED says: the number of a data file and an offset
// in it; 0 if it says nothing.
func readSyncMark(fs FS, dir string, uuid [16]byte) (number uint32, offset int64) {
	f, err := fs.Open(filepath.Join(dir, syncMarkName), true)
	if err != nil {
		return 0, 0
	}
	b := make([]byte, syncMarkBytes)
	err = readFull(f, b, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, 0
	}
	h, err := decodeFileHeader(b, syncMarkName, magicSyncMark)
	if err != nil || h.uuid != uuid {
		return 0, 0
	}
	number, offset, _ = decodeSyncMark(b[fileHeaderBytes:], saltCRC(h.salt))
	return number, offset
}

// decodeSyncMark decodes what is behind the file header. It is valid if and only
// if its checksum matches; else number and offset are 0.
// REQUIRES: b has syncMarkBytes - fileHeaderBytes bytes.
func decodeSyncMark(b []byte, salted uint32) (number uint32, offset int64, valid bool) {
	le := binary.LittleEndian
	if crc32.Update(salted, castagnoli, b[:16]) != le.Uint32(b[16:]) {
		return 0, 0, false
	}
	return le.Uint32(b), int64(le.Uint64(b[8:])), true
}

// markError refuses a log file that ends at end, before what SYNCED says was on the disk.
func markError(f *dataFile, end, marked int64, reason string) error {
	return &CorruptError{File: f.name(), Offset: end, Reason: fmt.Sprintf(
		"%s, but %s says that the disk had everything up to %d", cmp.Or(reason, "the data ends"), syncMarkName, marked)}
}
