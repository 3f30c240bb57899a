package engine

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Every file but LOCK begins with the same 64 bytes:
//
//	0   magic     8 bytes  says what the file is
//	8   version   u32      of the format; 1
//	12  number    u32      of the data file; 0 in MANIFEST
//	16  uuid      16 bytes of the database
//	32  salt      u32      random; in the checksums of what follows
//	36  kind      u32      data and hint files: fileLog or fileMerged; else 0
//	40  createdMs u64      Unix milliseconds
//	48  zero      12 bytes
//	60  crc       u32      CRC32C of the 60 bytes before
const fileHeaderBytes = 64

const (
	magicData     = "BITKVDAT"
	magicHint     = "BITKVHNT"
	magicManifest = "BITKVMAN"
)

// formatVersion is the format this package writes. It opens no other.
const formatVersion = 1

// The kinds of data files. The numbers are on disk.
const (
	fileLog    uint32 = 1 // frames of transactions, sequence numbers contiguous
	fileMerged uint32 = 2 // records copied by merge, each a frame of its own
)

type fileHeader struct {
	magic     string
	number    uint32
	uuid      [16]byte
	salt      uint32
	kind      uint32
	createdMs int64
}

func (h *fileHeader) encode() []byte { return h.encodeVersion(formatVersion) }

func (h *fileHeader) encodeVersion(version uint32) []byte {
	b := make([]byte, fileHeaderBytes)
	le := binary.LittleEndian
	copy(b, h.magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], h.number)
	copy(b[16:], h.uuid[:])
	le.PutUint32(b[32:], h.salt)
	le.PutUint32(b[36:], h.kind)
	le.PutUint64(b[40:], uint64(h.createdMs))
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

// decodeFileHeader decodes the header of the file called name. It is valid if
// and only if (1) it is there in full, (2) its magic is the one wanted, (3) its
// CRC matches, (4) its version is known. A version that is not known is
// ErrVersion, everything else a CorruptError.
func decodeFileHeader(b []byte, name, magic string) (h fileHeader, err error) {
	corrupt := func(offset int64, format string, args ...any) (fileHeader, error) {
		return h, &CorruptError{File: name, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	if len(b) < fileHeaderBytes {
		return corrupt(int64(len(b)), "file header is cut short")
	}
	le := binary.LittleEndian
	if got := string(b[:8]); got != magic {
		return corrupt(0, "magic is %q, expected %q", got, magic)
	}
	if got, want := crc32.Checksum(b[:60], castagnoli), le.Uint32(b[60:]); got != want {
		return corrupt(60, "file header checksum is %08x, expected %08x", got, want)
	}
	if v := le.Uint32(b[8:]); v != formatVersion {
		return h, errorf("%w: %s has format version %d, this program knows %d", ErrVersion, name, v, formatVersion)
	}
	h = fileHeader{
		magic:     magic,
		number:    le.Uint32(b[12:]),
		salt:      le.Uint32(b[32:]),
		kind:      le.Uint32(b[36:]),
		createdMs: int64(le.Uint64(b[40:])),
	}
	copy(h.uuid[:], b[16:32])
	return h, nil
}
