package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// rdbReader reads the parts of a value in Redis's RDB format, which comes from
// outside: every length is checked against what is there before it is believed,
// and what compressed strings become is bounded by what they are.
type rdbReader struct {
	buf      []byte // what is left
	maxBytes int64  // longest string
	scratch  [2][]byte
	next     int // of scratch
}

// badDump is ErrDumpFormat with a reason.
func badDump(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDumpFormat, fmt.Sprintf(format, args...))
}

// take returns the next n bytes.
func (r *rdbReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.buf)) {
		return nil, badDump("%d bytes where %d are left", n, len(r.buf))
	}
	part := r.buf[:n:n]
	r.buf = r.buf[n:]
	return part, nil
}

func (r *rdbReader) byte() (byte, error) {
	b, err := r.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Lengths, by the first byte:
//
//	00nnnnnn  n
//	01nnnnnn  n and the next byte, big-endian
//	10000000  the next 4 bytes, big-endian
//	10000001  the next 8 bytes, big-endian
//	11eeeeee  not a length: a string in encoding e
const (
	rdbLen32 = 0x80
	rdbLen64 = 0x81

	rdbInt8  = 0
	rdbInt16 = 1
	rdbInt32 = 2
	rdbLZF   = 3
)

// lengthOr reads a length, or, if special, the number of an encoding.
func (r *rdbReader) lengthOr() (n uint64, special bool, err error) {
	first, err := r.byte()
	if err != nil {
		return 0, false, err
	}
	switch {
	case first>>6 == 0:
		return uint64(first), false, nil
	case first>>6 == 1:
		b, err := r.byte()
		return uint64(first&0x3f)<<8 | uint64(b), false, err
	case first == rdbLen32:
		b, err := r.take(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case first == rdbLen64:
		n, err := r.uint64(binary.BigEndian)
		return n, false, err
	case first>>6 == 3:
		return uint64(first & 0x3f), true, nil
	}
	return 0, false, badDump("length byte %#x", first)
}

// length reads a length. As in Redis, the number of an encoding counts as one.
func (r *rdbReader) length() (uint64, error) {
	n, _, err := r.lengthOr()
	return n, err
}

// count is length for what must not be empty.
func (r *rdbReader) count() (uint64, error) {
	n, err := r.length()
	if err == nil && n == 0 {
		return 0, badDump("an empty collection")
	}
	return n, err
}

func (r *rdbReader) uint64(order binary.ByteOrder) (uint64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return order.Uint64(b), nil
}

// bytes reads a string. It is valid until bytes was called two more times.
func (r *rdbReader) bytes() ([]byte, error) {
	n, special, err := r.lengthOr()
	if err != nil {
		return nil, err
	}
	if !special {
		return r.take(n)
	}
	switch n {
	case rdbInt8, rdbInt16, rdbInt32:
		b, err := r.take(1 << n)
		if err != nil {
			return nil, err
		}
		text := r.room()
		*text = strconv.AppendInt(*text, littleInt(b), 10)
		return *text, nil
	case rdbLZF:
		return r.compressed()
	}
	return nil, badDump("string encoding %d", n)
}

// room returns an empty buffer for a string that does not stand in the payload.
func (r *rdbReader) room() *[]byte {
	r.next ^= 1
	b := &r.scratch[r.next]
	*b = (*b)[:0]
	return b
}

func (r *rdbReader) compressed() ([]byte, error) {
	packed, err := r.length()
	if err != nil {
		return nil, err
	}
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	src, err := r.take(packed)
	if err != nil {
		return nil, err
	}
	if n > uint64(r.maxBytes) || n > packed*lzfMaxRatio {
		return nil, badDump("%d bytes compressed to %d", n, packed)
	}
	if n == 0 {
		return nil, nil // nothing is compressed to nothing, but what is there does not count in Redis
	}
	text := r.room()
	out, ok := lzfExpand(slices.Grow(*text, int(n)), src, int(n))
	if *text = out; !ok {
		return nil, badDump("damaged compression")
	}
	return out, nil
}

// littleInt is the signed little-endian integer of 1 to 8 bytes.
func littleInt(b []byte) int64 {
	var full [8]byte
	copy(full[8-len(b):], b)
	return int64(binary.LittleEndian.Uint64(full[:])) >> (64 - 8*len(b))
}

// binaryScore reads a score as 8 bytes.
func (r *rdbReader) binaryScore() (float64, error) {
	u, err := r.uint64(binary.LittleEndian)
	f := math.Float64frombits(u)
	if err == nil && math.IsNaN(f) {
		return 0, badDump("a score that is not a number")
	}
	return f, err
}

// textScore reads a score as old versions wrote it: its length, or a code for
// those that have no digits, and its text.
func (r *rdbReader) textScore() (float64, error) {
	n, err := r.byte()
	if err != nil {
		return 0, err
	}
	switch n {
	case 255:
		return math.Inf(-1), nil
	case 254:
		return math.Inf(1), nil
	case 253:
		return 0, badDump("a score that is not a number")
	}
	text, err := r.take(uint64(n))
	if err != nil {
		return 0, err
	}
	// C's scanf: what follows the number does not count, but there has to be one.
	f, used, _ := FloatPrefix(text)
	if used == 0 || math.IsNaN(f) {
		return 0, badDump("score %.40q", text)
	}
	return f, nil
}

// maxPackedScoreBytes is how much of a score in a listpack or ziplist counts.
const maxPackedScoreBytes = 127

// packedScore parses a score of a listpack or ziplist. As with C's strtod, what is
// no number is 0; what says that it is none is refused, for it has no order.
func packedScore(text []byte) (float64, error) {
	f, _, _ := FloatPrefix(text[:min(len(text), maxPackedScoreBytes)])
	if math.IsNaN(f) {
		return 0, badDump("score %.40q", text)
	}
	return f, nil
}
