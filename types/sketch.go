package types

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// A HyperLogLog is a string, byte for byte as in Redis, which clients may GET,
// keep and SET again. It is a header and 16384 registers, in one of two forms.
//
//	magic        4 bytes   "HYLL"
//	encoding     1 byte    0 dense, 1 sparse
//	unused       3 bytes
//	cardinality  8 bytes   little-endian; the last count, not valid if the highest
//	                       bit is set
//	registers    dense: 12288 bytes, 6 bits a register, the lowest bits first
//	             sparse: codes that cover the registers in order
//
// The codes of the sparse form, which has no register above 32:
//
//	00llllll             l+1 registers are 0
//	01llllll llllllll    l+1 registers are 0
//	1vvvvvll             l+1 registers are v+1
//
// A register is the longest run of zero bits, plus one, in the hashes of the
// elements that fell to it. Clients write what they like over such a string:
// nothing about it may be taken for granted.

const (
	sketchBits      = 14 // of the hash, that choose the register
	sketchRegisters = 1 << sketchBits
	sketchHeader    = 16
	sketchDense     = sketchHeader + sketchRegisters*6/8
	// sketchMaxBytes is how long a string may be to be looked at; 2 bytes a
	// register is the longest that the sparse form can be.
	sketchMaxBytes = 1 << 20

	encodingDense  = 0
	encodingSparse = 1

	zeroMax     = 64
	valueMaxLen = 4
	valueMax    = 32
	// longestRun is the largest register that an element can cause: all the bits
	// of the hash that do not choose the register, plus one.
	longestRun = 64 - sketchBits + 1
)

// sketch is the bytes of a HyperLogLog. REQUIRES, for all its methods: its header
// is one, see isSketch.
type sketch []byte

// newSketch returns an empty one.
func newSketch() sketch {
	s := make(sketch, sketchHeader, sketchHeader+8)
	copy(s, "HYLL")
	s[4] = encodingSparse
	return append(s, 0x40|(sketchRegisters-1)>>8, (sketchRegisters-1)&0xff)
}

// isSketch reports whether a string of n bytes that begins with these can be a
// HyperLogLog. Whether its sparse registers are right is not seen here.
func isSketch(begin []byte, n int) bool {
	if len(begin) < sketchHeader || string(begin[:4]) != "HYLL" {
		return false
	}
	return begin[4] == encodingSparse || begin[4] == encodingDense && n == sketchDense
}

func (s sketch) isSparse() bool { return s[4] == encodingSparse }

// cached returns the last count, if nothing has changed since.
func (s sketch) cached() (count uint64, ok bool) {
	return binary.LittleEndian.Uint64(s[8:]), s[15]&0x80 == 0
}

func (s sketch) setCached(count uint64) { binary.LittleEndian.PutUint64(s[8:], count) }

func (s sketch) dropCached() { s[15] |= 0x80 }

// elementHash is MurmurHash64A, with the seed of Redis.
func elementHash(b []byte) uint64 {
	const m, seed = 0xc6a4a7935bd1e995, 0xadc83b19
	h := seed ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k ^= k >> 47
		h = (h ^ k*m) * m
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		h = (h ^ binary.LittleEndian.Uint64(last[:])) * m
	}
	h = (h ^ h>>47) * m
	return h ^ h>>47
}

// registerOf returns the register of an element and the value it asks for.
func registerOf(element []byte) (index int, value byte) {
	h := elementHash(element)
	index = int(h & (sketchRegisters - 1))
	h = h>>sketchBits | 1<<(64-sketchBits)
	return index, byte(bits.TrailingZeros64(h) + 1)
}

// raise lifts a register to a value, if it is lower. The result may be a longer
// slice, or a dense sketch: a sparse one becomes that if it would be longer than
// maxSparse, or cannot hold the value. ok is false if the sketch is damaged.
func (s sketch) raise(index int, value byte, maxSparse int64) (is sketch, changed, ok bool) {
	if !s.isSparse() {
		return s, s.raiseDense(index, value), true
	}
	if value > valueMax {
		return s.raiseAsDense(index, value)
	}
	return s.raiseSparse(index, value, maxSparse)
}

// raiseAsDense makes a sparse sketch a dense one and raises a register of it.
func (s sketch) raiseAsDense(index int, value byte) (is sketch, changed, ok bool) {
	dense, ok := s.toDense()
	if !ok {
		return s, false, false
	}
	return dense, dense.raiseDense(index, value), true
}

// register returns a register of a dense sketch.
func (s sketch) register(index int) byte {
	at, shift := sketchHeader+index*6/8, index*6%8
	word := uint(s[at])
	if at+1 < len(s) {
		word |= uint(s[at+1]) << 8
	}
	return byte(word>>shift) & 63
}

// raiseDense is raise of a dense sketch.
func (s sketch) raiseDense(index int, value byte) (changed bool) {
	if s.register(index) >= value {
		return false
	}
	at, shift := sketchHeader+index*6/8, index*6%8
	s[at] = s[at]&^byte(63<<shift) | value<<shift
	if shift > 2 { // the rest is in the next byte
		s[at+1] = s[at+1]&^byte(63>>(8-shift)) | value>>(8-shift)
	}
	return true
}

// code is one code of the sparse form.
type code struct {
	length int // in bytes; 0 if there is none
	run    int // how many registers it covers
	value  byte
}

// codeAt returns the code at an offset.
func (s sketch) codeAt(at int) code {
	switch {
	case at >= len(s):
		return code{}
	case s[at]&0x80 != 0:
		return code{1, int(s[at]&3) + 1, s[at]>>2&0x1f + 1}
	case s[at]&0x40 == 0:
		return code{1, int(s[at]) + 1, 0}
	case at+1 == len(s): // Redis reads a zero byte behind the end
		return code{1, int(s[at]&0x3f)<<8 + 1, 0}
	default:
		return code{2, int(s[at]&0x3f)<<8 + int(s[at+1]) + 1, 0}
	}
}

// runs calls fn for every code of a sparse sketch with the first register that it
// covers. ok is false if they do not cover all registers exactly: fn may have been
// called then, but never for a register that does not exist.
func (s sketch) runs(fn func(first int, c code)) (ok bool) {
	first := 0
	for at := sketchHeader; at < len(s); {
		c := s.codeAt(at)
		if c.length == 0 || first+c.run > sketchRegisters {
			return false
		}
		fn(first, c)
		first += c.run
		at += c.length
	}
	return first == sketchRegisters
}

// toDense returns the dense form of a sparse sketch.
func (s sketch) toDense() (dense sketch, ok bool) {
	dense = make(sketch, sketchDense)
	copy(dense, s[:sketchHeader])
	dense[4] = encodingDense
	ok = s.runs(func(first int, c code) {
		if c.value != 0 {
			for i := range c.run {
				dense.raiseDense(first+i, c.value)
			}
		}
	})
	return dense, ok
}

// raiseSparse finds the code that covers the register and puts up to three in its
// place: the registers before it, itself, and those behind.
func (s sketch) raiseSparse(index int, value byte, maxSparse int64) (is sketch, changed, ok bool) {
	at, before, first := sketchHeader, sketchHeader, 0
	c := s.codeAt(at)
	for c.length != 0 && first+c.run <= index {
		first += c.run
		before, at = at, at+c.length
		c = s.codeAt(at)
	}
	if c.length == 0 {
		return s, false, false
	}
	if c.value >= value {
		return s, false, true
	}
	var room [5]byte
	codes := appendRun(room[:0], index-first, c.value)
	codes = appendRun(codes, 1, value)
	codes = appendRun(codes, first+c.run-index-1, c.value)
	if more := len(codes) - c.length; more > 0 && int64(len(s)+more) > maxSparse {
		return s.raiseAsDense(index, value)
	}
	s = slices.Replace(s, at, at+c.length, codes...)
	s = s.joinValues(before)
	s.dropCached()
	return s, true, true
}

// appendRun appends the code for a run of registers, nothing if it is empty.
func appendRun(dst []byte, run int, value byte) []byte {
	switch {
	case run == 0:
		return dst
	case value != 0:
		return append(dst, 0x80|(value-1)<<2|byte(run-1))
	case run <= zeroMax:
		return append(dst, byte(run-1))
	default:
		return append(dst, 0x40|byte((run-1)>>8), byte(run-1))
	}
}

// joinValues makes one code of two neighbours with the same value, among the five
// from an offset on: so far a change reaches.
func (s sketch) joinValues(at int) sketch {
	for n := 5; n > 0 && at < len(s); n-- {
		c := s.codeAt(at)
		if c.length == 0 {
			break
		}
		if next := s.codeAt(at + 1); c.value != 0 && c.value == next.value && c.run+next.run <= valueMaxLen {
			s[at] = 0x80 | (c.value-1)<<2 | byte(c.run+next.run-1)
			s = slices.Delete(s, at+1, at+2)
			continue
		}
		at += c.length
	}
	return s
}

// registers is a sketch taken apart, to be merged or counted.
type registers [sketchRegisters]byte

// merge raises every register to that of a sketch. ok is false if it is damaged.
func (r *registers) merge(s sketch) (ok bool) {
	if !s.isSparse() {
		for i, at := 0, sketchHeader; i < sketchRegisters; i, at = i+4, at+3 {
			word := uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16
			r[i] = max(r[i], byte(word&63))
			r[i+1] = max(r[i+1], byte(word>>6&63))
			r[i+2] = max(r[i+2], byte(word>>12&63))
			r[i+3] = max(r[i+3], byte(word>>18))
		}
		return true
	}
	return s.runs(func(first int, c code) {
		if c.value != 0 {
			for i := range c.run {
				r[first+i] = max(r[first+i], c.value)
			}
		}
	})
}

// histogram says how many registers have each value.
type histogram [64]int

func (r *registers) histogram() (h histogram) {
	for _, value := range r {
		h[value&63]++
	}
	return h
}

// histogram counts the registers of a sketch. ok is false if it is damaged.
func (s sketch) histogram() (h histogram, ok bool) {
	if !s.isSparse() {
		var r registers
		r.merge(s)
		return r.histogram(), true
	}
	ok = s.runs(func(_ int, c code) { h[c.value] += c.run })
	return h, ok
}

// estimate is the number of elements by the registers: the improved estimator of
// Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
// arXiv:1702.01284. The result is cached and compared: the order of the operations
// is Redis's, and the conversions forbid the compiler to fuse any two, so that
// every bit is the same on every machine.
func (h *histogram) estimate() uint64 {
	const alphaInf = 0.721347520444481703680 // 0.5/ln(2)
	m := float64(sketchRegisters)
	z := m * tau((m-float64(h[longestRun]))/m)
	for i := longestRun - 1; i >= 1; i-- {
		z += float64(h[i])
		z *= 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	e := math.Round(alphaInf * m * m / z)
	if e >= 1<<63 {
		return 1 << 63 // no registers that elements can cause; this is what Redis says
	}
	return uint64(e)
}

// sigma is the sum of x^(2^k) * 2^(k-1), k >= 1, plus x.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += float64(x * y)
		y += y
		if z == last {
			return z
		}
	}
}

// tau is a third of 1 - x minus the sum of (1 - x^(2^-k))^2 * 2^-k, k >= 1.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == last {
			return z / 3
		}
	}
}
