package types

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestElementHash(t *testing.T) {
	// Made with redis-server 7.0.15: PFADD of one element, PFDEBUG DECODE.
	tests := []struct {
		element string
		index   int
		value   byte
	}{
		{"", 5938, 2}, {"a", 12711, 2}, {"abcdefgh", 1383, 1}, {"abcdefghi", 6903, 1},
	}
	for _, tt := range tests {
		if index, value := registerOf([]byte(tt.element)); index != tt.index || value != tt.value {
			t.Errorf("%q: register %d value %d, want %d and %d", tt.element, index, value, tt.index, tt.value)
		}
	}
}

// TestSketchModel raises registers of both forms, beside an array.
func TestSketchModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		maxSparse := rapid.SampledFrom([]int64{0, 30, 3000, 100_000}).Draw(rt, "max")
		near := rapid.IntRange(0, sketchRegisters-1).Draw(rt, "near")
		s, want := newSketch(), new(registers)
		dense, _ := s.toDense()
		for range rapid.IntRange(0, 300).Draw(rt, "n") {
			i := (near + rapid.IntRange(0, 90).Draw(rt, "index")) % sketchRegisters
			value := byte(rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, longestRun)).Draw(rt, "value"))
			var changed, ok bool
			s, changed, ok = s.raise(i, value, maxSparse)
			if !ok || changed != (want[i] < value) || dense.raiseDense(i, value) != changed {
				rt.Fatalf("raise(%d, %d) over %d: %v, %v", i, value, want[i], changed, ok)
			}
			want[i] = max(want[i], value)
		}
		got := new(registers)
		if !got.merge(s) || *got != *want {
			rt.Fatal("the registers differ")
		}
		if got = new(registers); !got.merge(dense) || *got != *want {
			rt.Fatal("the registers of the dense form differ")
		}
		a, ok := s.histogram()
		if b := want.histogram(); !ok || a != b || a.estimate() != b.estimate() {
			rt.Fatal("the histogram differs")
		}
		if s.isSparse() && int64(len(s)) > max(maxSparse, 18) {
			rt.Fatalf("%d bytes in the sparse form, of %d", len(s), maxSparse)
		}
	})
}

// FuzzSketch: whatever a string holds that looks like a HyperLogLog, nothing
// panics, and what is found whole stays whole.
func FuzzSketch(f *testing.F) {
	f.Add([]byte(newSketch()), uint16(7), uint8(3))
	f.Add([]byte(append(newSketch()[:sketchHeader], 0x7f)), uint16(0), uint8(40))
	f.Add([]byte(append(newSketch()[:sketchHeader], 0x83, 0x83, 0x40, 0x00, 0x3f, 0x7f, 0xf0)), uint16(9), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, index uint16, value uint8) {
		if !isSketch(data, len(data)) {
			return
		}
		s := sketch(bytes.Clone(data))
		_, whole := s.histogram()
		before := new(registers)
		if before.merge(s) != whole {
			t.Fatal("merge and histogram disagree")
		}
		i, value := int(index)%sketchRegisters, max(1, value%(longestRun+1))
		s, changed, ok := s.raise(i, value, 3000)
		if whole && (!ok || changed != (before[i] < value)) {
			t.Fatalf("raise(%d, %d) over %d: %v, %v", i, value, before[i], changed, ok)
		}
		after := new(registers)
		if before[i] = max(before[i], value); whole && (!after.merge(s) || *after != *before) {
			t.Fatal("the registers differ")
		}
	})
}

func TestHLLErrors(t *testing.T) {
	s := openTest(t, Options{})
	k := []byte("k")
	header := "48594c4c01000000" + "0000000000000080"
	tests := []struct {
		name, value string
		err         error
	}{
		{"too short", header[:30], ErrNotHLL},
		{"no registers", header, ErrCorruptHLL},
		{"too few registers", header + "7ffe", ErrCorruptHLL},
		{"too many registers", header + "7fff00", ErrCorruptHLL},
		{"dense of a wrong length", "48594c4c00" + header[10:], ErrNotHLL},
	}
	for _, tt := range tests {
		value, err := hex.DecodeString(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		s.set(0, "k", string(value))
		s.update(0, func(tx *Tx) {
			if _, err := tx.HLL().Count([][]byte{k}); !errors.Is(err, tt.err) {
				t.Errorf("%s: Count: %v, want %v", tt.name, err, tt.err)
			}
			if _, err := tx.HLL().Count([][]byte{k, k}); !errors.Is(err, tt.err) {
				t.Errorf("%s: Count of two: %v, want %v", tt.name, err, tt.err)
			}
			if err := tx.HLL().Merge([]byte("x"), [][]byte{k}); !errors.Is(err, tt.err) || tx.Keyspace().Exists([]byte("x")) {
				t.Errorf("%s: Merge: %v, want %v", tt.name, err, tt.err)
			}
			if _, err := tx.HLL().ToDense(k); !errors.Is(err, tt.err) {
				t.Errorf("%s: ToDense: %v, want %v", tt.name, err, tt.err)
			}
		})
		s.want(0, "k", string(value))
	}
}

// TestHLLLong: a string that is far too long is refused without being read.
func TestHLLLong(t *testing.T) {
	s := openTest(t, Options{})
	k := []byte("k")
	s.update(0, func(tx *Tx) {
		if _, err := tx.String().SetRange(k, 500<<20, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.String().SetRange(k, 0, newSketch()); err != nil {
			t.Fatal(err)
		}
		h := tx.HLL()
		_, err1 := h.Add(k, [][]byte{k})
		_, err2 := h.Count([][]byte{k, k})
		_, err3 := h.ToDense(k)
		_, err4 := h.Decode(nil, k)
		err5 := h.Merge(k, nil)
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, ErrCorruptHLL) {
				t.Errorf("%d: %v, want %v", i+1, err, ErrCorruptHLL)
			}
		}
		if n, err := tx.String().Len(k); n != 500<<20+1 || err != nil {
			t.Errorf("its length is now %d, %v", n, err)
		}
	})
}

func TestHLLSelfTest(t *testing.T) {
	if err := HLLSelfTest(); err != nil {
		t.Error(err)
	}
}

func BenchmarkPFAdd(b *testing.B) {
	s := openTest(b, Options{})
	elements := [][]byte{nil}
	s.update(0, func(tx *Tx) {
		for i := 0; b.Loop(); i++ {
			elements[0] = []byte{byte(i), byte(i >> 8), byte(i >> 16)}
			if _, err := tx.HLL().Add([]byte("k"), elements); err != nil {
				b.Fatal(err)
			}
		}
	})
}
