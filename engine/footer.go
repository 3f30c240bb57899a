package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A sealed file ends in a footer: a frame with frameFooter set, whose base
// sequence number is maxSeq+1 and whose payload is
//
//	0   uuid       16 bytes of the database
//	16  number     u32
//	20  kind       u32
//	24  dataEnd    u64   offset of the footer
//	32  minSeq     u64
//	40  maxSeq     u64
//	48  records    u64
//	56  tombstones u64
//	64  recordBytes u64
//	72  tombstoneBytes u64
//	80  crc        u32   CRC32C of the 80 bytes before
const (
	footerPayloadBytes = 84
	footerBytes        = frameHeaderBytes + footerPayloadBytes
)

// encodeFooter returns the footer frame of the file that m describes.
func encodeFooter(m *fileMeta, uuid [16]byte) []byte {
	b := make([]byte, footerBytes)
	p := b[frameHeaderBytes:]
	le := binary.LittleEndian
	copy(p, uuid[:])
	le.PutUint32(p[16:], m.number)
	le.PutUint32(p[20:], m.kind)
	le.PutUint64(p[24:], uint64(m.dataEnd))
	le.PutUint64(p[32:], m.minSeq)
	le.PutUint64(p[40:], m.maxSeq)
	le.PutUint64(p[48:], m.records)
	le.PutUint64(p[56:], m.tombstones)
	le.PutUint64(p[64:], uint64(m.recordBytes))
	le.PutUint64(p[72:], uint64(m.tombBytes))
	le.PutUint32(p[80:], crc32.Checksum(p[:80], castagnoli))
	putFrameHeader(b, frameHeader{
		flags: frameFooter, payloadLen: footerPayloadBytes,
		baseSeq: m.maxSeq + 1, knownSynced: uint32(m.dataEnd),
	}, saltCRC(m.salt))
	return b
}

// decodeFooter decodes the footer frame b of the file that m describes and
// checks that it says the same as m, where m is sealed. It returns m with what
// the footer says.
func decodeFooter(b []byte, m fileMeta, uuid [16]byte) (_ fileMeta, reason string) {
	h, reason := decodeFrameHeader(b, saltCRC(m.salt))
	if reason != "" {
		return m, reason
	}
	if h.flags != frameFooter || h.payloadLen != footerPayloadBytes || len(b) < footerBytes {
		return m, "the frame there is no footer"
	}
	p := b[frameHeaderBytes:footerBytes]
	le := binary.LittleEndian
	if crc32.Checksum(p[:80], castagnoli) != le.Uint32(p[80:]) {
		return m, "footer checksum does not match"
	}
	f := m
	f.number, f.kind = le.Uint32(p[16:]), le.Uint32(p[20:])
	f.dataEnd = int64(le.Uint64(p[24:]))
	f.size = f.dataEnd + footerBytes
	f.minSeq, f.maxSeq = le.Uint64(p[32:]), le.Uint64(p[40:])
	f.records, f.tombstones = le.Uint64(p[48:]), le.Uint64(p[56:])
	f.recordBytes, f.tombBytes = int64(le.Uint64(p[64:])), int64(le.Uint64(p[72:]))
	f.sealed = true
	if [16]byte(p[:16]) != uuid || f.number != m.number || f.kind != m.kind {
		return m, "footer is of another file"
	}
	if m.sealed && f != m {
		return m, fmt.Sprintf("the footer says %s, MANIFEST says %s", f.text(), m.text())
	}
	return f, ""
}

// text says for a person what of a file its footer counts.
func (m *fileMeta) text() string {
	return fmt.Sprintf("%d records (%d bytes), %d of them tombstones (%d bytes), with sequence numbers %d to %d, in the bytes before %d",
		m.records, m.recordBytes, m.tombstones, m.tombBytes, m.minSeq, m.maxSeq, m.dataEnd)
}

// readFooter reads and checks the footer of a sealed file.
func (d *dataFile) readFooter(uuid [16]byte) error {
	b := make([]byte, footerBytes)
	offset := d.meta.dataEnd
	if d.meta.size != offset+footerBytes {
		return &CorruptError{File: manifestName, Offset: 0, Reason: fmt.Sprintf("%s has data up to %d and size %d", d.name(), offset, d.meta.size)}
	}
	err := readFull(d.file, b, offset)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &CorruptError{File: d.name(), Offset: offset, Reason: "the file ends before its footer does"}
	}
	if err != nil {
		return err
	}
	if _, reason := decodeFooter(b, d.meta, uuid); reason != "" {
		return &CorruptError{File: d.name(), Offset: offset, Reason: reason}
	}
	return nil
}

// seal writes the footer after the last frame, cuts the file there and syncs it.
// It does not touch the MANIFEST: the caller does, with the fileMeta returned.
// REQUIRES: every byte before dataEnd is synced, for the footer says so.
func (d *dataFile) seal(dataEnd int64, uuid [16]byte) (fileMeta, error) {
	d.room.Lock()
	defer d.room.Unlock()
	m := fileMeta{
		number: d.number, kind: d.kind, salt: d.salt, createdMs: d.meta.createdMs,
		sealed: true, dataEnd: dataEnd, size: dataEnd + footerBytes,
		minSeq: d.minSeq.Load(), maxSeq: d.maxSeq.Load(),
		records: uint64(d.records.Load()), tombstones: uint64(d.tombstones.Load()),
		recordBytes: d.total.Load(), tombBytes: d.tombBytes.Load(),
	}
	if _, err := d.file.WriteAt(encodeFooter(&m, uuid), dataEnd); err != nil {
		return m, errorf("engine: seal %s: %w", d.name(), err)
	}
	if err := d.file.Truncate(m.size); err != nil {
		return m, errorf("engine: seal %s: %w", d.name(), err)
	}
	if err := d.file.Sync(); err != nil {
		return m, errorf("engine: seal %s: %w", d.name(), err)
	}
	return m, nil
}
