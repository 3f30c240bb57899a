package types

import (
	"bytes"
	"errors"
	"math/big"
	"math/bits"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// bitOffsets are offsets near what could go wrong: the ends of bytes and chunks.
func bitOffsets(rt *rapid.T, label string) int64 {
	base := rapid.SampledFrom([]int64{0, 8, 64, 8 * maxHeadBytes, 16 * chunkBytes, 24 * chunkBytes, 40 * chunkBytes}).Draw(rt, label+" base")
	return max(base+rapid.Int64Range(-70, 70).Draw(rt, label), 0)
}

// bitString is a string as BITCOUNT and its like see it.
type bitString []byte

func (b bitString) bit(i int64) bool {
	return i>>3 < int64(len(b)) && b[i>>3]&(0x80>>(i&7)) != 0
}

func (b *bitString) set(i int64, on bool) {
	*b = pad(*b, int(i>>3)+1)
	(*b)[i>>3] &^= 0x80 >> (i & 7)
	if on {
		(*b)[i>>3] |= 0x80 >> (i & 7)
	}
}

// span is the range of bits that a BitRange means, found without its arithmetic.
func (b bitString) span(r BitRange) (from, to int64) {
	n, unit := big.NewInt(int64(len(b))), int64(8)
	if r.InBits {
		n, unit = big.NewInt(8*int64(len(b))), 1
	}
	clamp := func(i int64) *big.Int {
		v := big.NewInt(i)
		if i < 0 {
			v.Add(v, n)
		}
		if v.Sign() < 0 {
			v.SetInt64(0)
		}
		return v
	}
	start, end := clamp(r.Start), clamp(r.End)
	if end.Cmp(n) >= 0 {
		end.Sub(n, big.NewInt(1))
	}
	if start.Cmp(end) > 0 {
		return 0, 0
	}
	return start.Int64() * unit, (end.Int64() + 1) * unit
}

// TestBitsModel does random operations on strings of both forms, beside plain
// byte slices.
func TestBitsModel(t *testing.T) {
	s := openTest(t, Options{})
	keys := []string{"a", "b", "c"}
	rapid.Check(t, func(rt *rapid.T) {
		s.update(0, func(tx *Tx) { tx.Keyspace().FlushDB() })
		model := map[string]bitString{}
		key := func() string { return rapid.SampledFrom(keys).Draw(rt, "key") }
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(rt *rapid.T) {
				k, n := key(), rapid.SampledFrom([]int{0, 1, 9, maxHeadBytes, maxHeadBytes + 1, 3*chunkBytes - 5}).Draw(rt, "length")
				value := bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, n)
				s.set(0, k, string(value))
				model[k] = value
			},
			"setbit": func(rt *rapid.T) {
				k, at, on := key(), bitOffsets(rt, "offset"), rapid.Bool().Draw(rt, "on")
				m := model[k]
				s.update(0, func(tx *Tx) {
					if was, err := tx.String().SetBit([]byte(k), at, on); err != nil || was != m.bit(at) {
						rt.Fatalf("SetBit(%d): %v, %v", at, was, err)
					}
				})
				m.set(at, on)
				model[k] = m
			},
			"getbit": func(rt *rapid.T) {
				k, at := key(), bitOffsets(rt, "offset")
				s.view(0, func(tx *Tx) {
					if on, err := tx.String().GetBit([]byte(k), at); err != nil || on != model[k].bit(at) {
						rt.Fatalf("GetBit(%d): %v, %v", at, on, err)
					}
				})
			},
			"count and pos": func(rt *rapid.T) { checkRange(rt, s, model, key()) },
			"bitop":         func(rt *rapid.T) { checkBitOp(rt, s, model, key) },
			"bitfield":      func(rt *rapid.T) { checkBitField(rt, s, model, key()) },
			"": func(rt *rapid.T) {
				for k, m := range model {
					if got := s.get(0, k); got != string(m) {
						rt.Fatalf("%s differs: %d bytes, want %d", k, len(got), len(m))
					}
					if err := s.wholeChunks(k); err != nil {
						rt.Fatalf("%s: %v", k, err)
					}
				}
			},
		})
		s.reopen()
		for k, m := range model {
			if got := s.get(0, k); got != string(m) {
				rt.Fatalf("after reopen %s differs: %d bytes, want %d", k, len(got), len(m))
			}
		}
	})
}

func checkRange(rt *rapid.T, s *testStore, model map[string]bitString, k string) {
	m, ok := model[k]
	if !ok {
		return
	}
	index := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-20, 20),
		rapid.Custom(func(rt *rapid.T) int64 { return bitOffsets(rt, "index") }))
	r := BitRange{index.Draw(rt, "start"), index.Draw(rt, "end"), rapid.Bool().Draw(rt, "bits")}
	from, to := m.span(r)
	count, pos := int64(0), [2]int64{-1, -1}
	for i := from; i < to; i++ {
		bit := 0
		if m.bit(i) {
			bit = 1
			count++
		}
		if pos[bit] < 0 {
			pos[bit] = i
		}
	}
	s.view(0, func(tx *Tx) {
		v, _, err := tx.String().Get([]byte(k))
		if err != nil {
			rt.Fatal(err)
		}
		if r.Start < 0 && r.End < 0 && r.Start > r.End {
			count = 0 // as Redis, whatever the length
		}
		if got, err := v.BitCount(r); err != nil || got != count {
			rt.Fatalf("BitCount(%+v) of %d bytes: %d, %v; want %d", r, len(m), got, err, count)
		}
		for bit, want := range pos {
			if got, err := v.BitPos(bit == 1, r); err != nil || got != want {
				rt.Fatalf("BitPos(%d, %+v) of %d bytes: %d, %v; want %d", bit, r, len(m), got, err, want)
			}
		}
		if r.Empty(len(m)) != (from == to) {
			rt.Fatalf("Empty(%+v) of %d bytes is wrong", r, len(m))
		}
	})
}

func checkBitOp(rt *rapid.T, s *testStore, model map[string]bitString, key func() string) {
	op := rapid.SampledFrom([]BitOperation{BitAnd, BitOr, BitXor, BitNot}).Draw(rt, "op")
	n := 1
	if op != BitNot {
		n = rapid.IntRange(1, 4).Draw(rt, "sources")
	}
	to, from, longest := key(), make([][]byte, n), 0
	for i := range from {
		from[i] = []byte(key())
		longest = max(longest, len(model[string(from[i])]))
	}
	want := make([]byte, longest)
	for i := range want {
		for j, k := range from {
			var c byte
			if m := model[string(k)]; i < len(m) {
				c = m[i]
			}
			switch {
			case op == BitNot:
				want[i] = ^c
			case j == 0:
				want[i] = c
			case op == BitAnd:
				want[i] &= c
			case op == BitOr:
				want[i] |= c
			default:
				want[i] ^= c
			}
		}
	}
	s.update(0, func(tx *Tx) {
		if got, err := tx.String().BitOp(op, []byte(to), from); err != nil || got != int64(longest) {
			rt.Fatalf("BitOp: %d, %v; want %d", got, err, longest)
		}
		if longest == 0 && tx.Keyspace().Exists([]byte(to)) {
			rt.Fatal("an empty result was stored")
		}
	})
	if delete(model, to); longest > 0 {
		model[to] = want
	}
}

func checkBitField(rt *rapid.T, s *testStore, model map[string]bitString, k string) {
	ops := make([]FieldOp, rapid.IntRange(1, 5).Draw(rt, "operations"))
	var want []*big.Int
	m := bytes.Clone(model[k])
	b := bitString(m)
	last := int64(-1)
	for i := range ops {
		signed := rapid.Bool().Draw(rt, "signed")
		most := 63
		if signed {
			most = 64
		}
		ops[i] = FieldOp{
			Kind:   rapid.SampledFrom([]FieldKind{FieldGet, FieldSet, FieldIncrBy}).Draw(rt, "kind"),
			Signed: signed, Bits: rapid.IntRange(1, most).Draw(rt, "bits"),
			Offset:   bitOffsets(rt, "offset"),
			Value:    rapid.Int64().Draw(rt, "value"),
			Overflow: rapid.SampledFrom([]FieldOverflow{OverflowWrap, OverflowSat, OverflowFail}).Draw(rt, "overflow"),
		}
		if ops[i].Kind != FieldGet {
			last = max(last, ops[i].Offset+int64(ops[i].Bits)-1)
		}
	}
	if last >= 0 {
		b.set(last, b.bit(last)) // grows
	}
	for i := range ops {
		want = append(want, b.field(&ops[i]))
	}
	var got []*big.Int
	s.update(0, func(tx *Tx) {
		err := tx.String().BitField([]byte(k), ops, func() {}, func(n int64, ok bool) {
			if !ok {
				got = append(got, nil)
				return
			}
			got = append(got, big.NewInt(n))
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
	for i := range want {
		if (got[i] == nil) != (want[i] == nil) || got[i] != nil && got[i].Cmp(want[i]) != 0 {
			rt.Fatalf("%+v: got %v, want %v", ops[i], got[i], want[i])
		}
	}
	if last >= 0 {
		model[k] = b
	}
}

// field does one operation of BITFIELD bit by bit, in whole numbers. nil is the
// result of one that fails.
func (b *bitString) field(op *FieldOp) *big.Int {
	old, one := new(big.Int), big.NewInt(1)
	for i := range op.Bits {
		old.Lsh(old, 1)
		if b.bit(op.Offset + int64(i)) {
			old.Or(old, one)
		}
	}
	size := new(big.Int).Lsh(one, uint(op.Bits))
	low, high := new(big.Int), new(big.Int).Sub(size, one)
	if op.Signed {
		half := new(big.Int).Rsh(size, 1)
		low, high = new(big.Int).Neg(half), new(big.Int).Sub(half, one)
		if old.Cmp(high) > 0 {
			old.Sub(old, size)
		}
	}
	if op.Kind == FieldGet {
		return old
	}
	value := big.NewInt(op.Value)
	if op.Kind == FieldIncrBy {
		value.Add(value, old)
	} else if !op.Signed && op.Value < 0 {
		value.Add(value, new(big.Int).Lsh(one, 64)) // Redis reads it as unsigned
	}
	if value.Cmp(low) < 0 || value.Cmp(high) > 0 {
		switch op.Overflow {
		case OverflowFail:
			return nil
		case OverflowSat:
			overflows := new(big.Int).Sub(high, value).BitLen() > 63 // in Redis, which goes on
			if value.Cmp(high) > 0 || op.Kind == FieldSet && op.Signed && op.Bits < 64 && overflows {
				value = high
			} else {
				value = low
			}
		default:
			if value.Mod(value, size); value.Cmp(high) > 0 {
				value.Sub(value, size)
			}
		}
	}
	stored := new(big.Int).Mod(value, size)
	for i := range op.Bits {
		b.set(op.Offset+int64(i), stored.Bit(op.Bits-1-i) == 1)
	}
	if op.Kind == FieldSet {
		return old
	}
	return value
}

func TestBitsWrongType(t *testing.T) {
	s := openTest(t, Options{})
	k := []byte("k")
	s.update(0, func(tx *Tx) {
		putRaw(t, tx, tagList, []byte("\x01x"))
		str := tx.String()
		_, err1 := str.SetBit(k, 0, true)
		_, err2 := str.GetBit(k, 0)
		_, err3 := str.BitOp(BitOr, []byte("d"), [][]byte{[]byte("x"), k})
		err4 := str.BitField(k, []FieldOp{{Bits: 1}}, func() {}, nil)
		err5 := str.BitField(k, []FieldOp{{Kind: FieldSet, Bits: 1}}, func() {}, nil)
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, ErrWrongType) {
				t.Errorf("%d: %v, want %v", i+1, err, ErrWrongType)
			}
		}
		if n, err := str.BitOp(BitNot, k, [][]byte{[]byte("x")}); n != 0 || err != nil || tx.Keyspace().Exists(k) {
			t.Errorf("BitOp over a list: %d, %v", n, err)
		}
	})
}

// TestBitsOfLongestString: what reads a string of 512 MiB does not hold it.
func TestBitsOfLongestString(t *testing.T) {
	s := openTest(t, Options{})
	const last = 8*(512<<20) - 1
	keys := [][]byte{[]byte("k"), []byte("k2")}
	s.update(0, func(tx *Tx) {
		for i, k := range keys {
			if was, err := tx.String().SetBit(k, last-int64(i), true); was || err != nil {
				t.Fatal(was, err)
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.update(0, func(tx *Tx) {
		if n, err := tx.String().BitOp(BitXor, []byte("x"), keys); n != 512<<20 || err != nil {
			t.Errorf("BitOp: %d, %v", n, err)
		}
		v, _, err := tx.String().Get([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		all := BitRange{End: -1}
		count, err1 := v.BitCount(all)
		one, err2 := v.BitPos(true, all)
		zero, err3 := v.BitPos(false, BitRange{Start: -1, End: -1})
		if count != 2 || one != last-1 || zero != last-7 || err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("count %d, first one %d, first zero %d", count, one, zero)
		}
	})
	runtime.ReadMemStats(&after)
	// The result has 32768 chunks.
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("allocated %d bytes", n)
	}
}

func TestOnesCount(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes")
		want := 0
		for _, c := range b {
			want += bits.OnesCount8(c)
		}
		if got := onesCount(b); got != int64(want) {
			rt.Fatalf("got %d, want %d", got, want)
		}
	})
}
