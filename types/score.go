package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"bitkv/engine"
)

// scoreBytes is the length of a score as it is stored: big-endian, and so that
// the order of the bytes is that of the numbers.
const scoreBytes = 8

// encodeScore returns a score, which is not NaN, as it is stored. -0 is the code
// before that of 0; see scoreOrder.
func encodeScore(score float64) (b [scoreBytes]byte) {
	bits := math.Float64bits(score)
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	binary.BigEndian.PutUint64(b[:], bits)
	return b
}

// scoreOrder returns what stored scores are compared by: -0 and 0 are equal, so
// that it is their members that are in order. engine.OrderScore has the same rule.
// REQUIRES: b is of 8 bytes.
func scoreOrder(b []byte) uint64 {
	const minusZero, zero = 1<<63 - 1, 1 << 63
	if order := binary.BigEndian.Uint64(b); order != minusZero {
		return order
	}
	return zero
}

// decodeScore undoes encodeScore. What cannot be a score is an ErrCorrupt.
func decodeScore(b []byte) (float64, error) {
	if len(b) != scoreBytes {
		return 0, fmt.Errorf("types: a score of %d bytes: %w", len(b), engine.ErrCorrupt)
	}
	bits := binary.BigEndian.Uint64(b)
	if bits>>63 != 0 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	score := math.Float64frombits(bits)
	if math.IsNaN(score) {
		return 0, fmt.Errorf("types: a score that is no number: %w", engine.ErrCorrupt)
	}
	return score, nil
}

// appendC17g appends a number as C's printf does with %.17g.
func appendC17g(dst []byte, x float64) []byte {
	switch {
	case math.IsInf(x, 1):
		return append(dst, "inf"...)
	case math.IsInf(x, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, x, 'g', 17, 64)
}
