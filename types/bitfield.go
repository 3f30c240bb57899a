package types

import (
	"encoding/binary"
	"math"
)

// FieldKind is what an operation of BITFIELD does.
type FieldKind uint8

// The kinds.
const (
	FieldGet FieldKind = iota
	FieldSet
	FieldIncrBy
)

// FieldOverflow says what becomes of a value that does not fit its field.
type FieldOverflow uint8

// The behaviours.
const (
	OverflowWrap FieldOverflow = iota
	OverflowSat
	OverflowFail
)

// FieldOp is one operation of BITFIELD, on an integer of Bits bits that begins at
// bit Offset. An integer has up to 63 bits, or 64 if it is signed.
type FieldOp struct {
	Kind     FieldKind
	Signed   bool
	Bits     int
	Offset   int64
	Value    int64 // what to set or to add
	Overflow FieldOverflow
}

// BitField does the operations in order and calls fn with the result of each: the
// value for a get, the old value for a set, the new one for an increment; ok is
// false if the value did not fit and Overflow is OverflowFail. begin is called
// once before that, when the type of the key is known to be right. Unless
// there are only gets, the string grows to the furthest bit that one of the others
// names, whether it changes it or not.
func (s String) BitField(key []byte, ops []FieldOp, begin func(), fn func(n int64, ok bool)) error {
	tx, last := s.tx, int64(-1)
	for i := range ops {
		if ops[i].Kind != FieldGet {
			last = max(last, ops[i].Offset+int64(ops[i].Bits)-1)
		}
	}
	if last < 0 {
		w, err := tx.windowOn(key)
		if err != nil {
			return err
		}
		begin()
		_, err = w.fields(ops, fn)
		return err
	}
	w, err := tx.windowFor(key, int(last>>3)+1)
	if err != nil {
		return err
	}
	begin()
	changes, err := w.fields(ops, fn)
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		return tx.fail(err)
	}
	tx.notifyNew(tx.db, key, w.existed)
	if changes > 0 {
		tx.dirty += changes - 1
		tx.signalModified(tx.db, key, EventString, "setbit")
	}
	return nil
}

// fields does the operations of BITFIELD and counts those that change something.
func (w *window) fields(ops []FieldOp, fn func(n int64, ok bool)) (changes int64, err error) {
	for i := range ops {
		op := &ops[i]
		field, err := w.field(op.Offset, op.Bits)
		if err != nil {
			return changes, err
		}
		old := op.valueOf(field)
		if op.Kind == FieldGet {
			fn(old, true)
			continue
		}
		value, ok := op.result(old)
		if !ok {
			fn(0, false)
			continue
		}
		if value != old {
			if err := w.setField(op.Offset, op.Bits, uint64(value)); err != nil {
				return changes, err
			}
		}
		if value != old || w.grown {
			changes++
		}
		if op.Kind == FieldSet {
			value = old
		}
		fn(value, true)
	}
	return changes, nil
}

// A field of 64 bits covers up to 9 bytes: those are shifted as two words.

// field returns the bits of a field, as an unsigned number.
func (w *window) field(offset int64, bits int) (uint64, error) {
	var b [16]byte
	n := (int(offset&7) + bits + 7) / 8
	if err := w.read(b[:n], int(offset>>3)); err != nil {
		return 0, err
	}
	hi, lo := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	shift := offset & 7
	hi = hi<<shift | lo>>(64-shift)
	return hi >> (64 - bits), nil
}

// setField writes the lower bits of value into a field.
func (w *window) setField(offset int64, bits int, value uint64) error {
	var b [16]byte
	n := (int(offset&7) + bits + 7) / 8
	if err := w.read(b[:n], int(offset>>3)); err != nil {
		return err
	}
	hi, lo := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	shift := offset & 7
	mask := uint64(math.MaxUint64) << (64 - bits)
	value <<= 64 - bits
	hi = hi&^(mask>>shift) | value>>shift
	lo = lo&^(mask<<(64-shift)) | value<<(64-shift)
	binary.BigEndian.PutUint64(b[:], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return w.write(b[:n], int(offset>>3))
}

// valueOf is what the bits of a field mean.
func (op *FieldOp) valueOf(field uint64) int64 {
	if op.Signed {
		return int64(field<<(64-op.Bits)) >> (64 - op.Bits)
	}
	return int64(field)
}

// limits returns the smallest and the largest value of the field.
func (op *FieldOp) limits() (low, high int64) {
	if op.Signed {
		high = math.MaxInt64 >> (64 - op.Bits)
		return -high - 1, high
	}
	return 0, math.MaxInt64 >> (63 - op.Bits)
}

// result returns what a set or an increment makes of the old value; ok is false
// if it fails because it does not fit.
func (op *FieldOp) result(old int64) (value int64, ok bool) {
	low, high := op.limits()
	tooHigh, tooLow := op.Value > high, op.Value < low
	value = op.Value
	switch {
	case op.Kind == FieldIncrBy:
		// old is within the limits, so that neither difference overflows
		// where it is looked at.
		value = old + op.Value
		tooHigh = op.Value > 0 && uint64(op.Value) > uint64(high)-uint64(old)
		tooLow = op.Value < 0 && -uint64(op.Value) > uint64(old)-uint64(low)
	case !op.Signed:
		tooHigh, tooLow = tooHigh || tooLow, false // a negative one counts as a huge one
	case op.Bits < 64 && high-op.Value < 0:
		// Redis takes this difference too, whose overflow makes the most
		// negative values too high: saturated they are the largest of the field.
		tooHigh, tooLow = true, false
	}
	switch {
	case !tooHigh && !tooLow:
		return value, true
	case op.Overflow == OverflowFail:
		return 0, false
	case op.Overflow == OverflowWrap:
		return op.valueOf(uint64(value) << (64 - op.Bits) >> (64 - op.Bits)), true
	case tooHigh:
		return high, true
	default:
		return low, true
	}
}
